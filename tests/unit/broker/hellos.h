// ClientHellos for tests: made by hand, with every field free to be wrong, and by OpenSSL.

#ifndef PALYRA_TESTS_UNIT_BROKER_HELLOS_H_
#define PALYRA_TESTS_UNIT_BROKER_HELLOS_H_

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace palyra::tests {

std::span<const uint8_t> AsBytes(std::string_view text);

// `value` in `width` bytes, most significant first.
std::string Number(size_t value, size_t width);

// `content` behind its length in `width` bytes.
std::string Vector(std::string_view content, size_t width);

std::string Extension(size_t type, std::string_view data);

// The server_name extension with one host_name.
std::string ServerName(std::string_view name);

std::string Alpn(const std::vector<std::string>& protocols);

// The body of a ClientHello of TLS 1.2 with those extensions.
std::string HelloBody(std::string_view extensions);

// A handshake message with its header.
std::string Message(uint8_t type, std::string_view body);

std::string Record(std::string_view content, uint8_t type = 22, uint8_t minor_version = 1);

// All of `message` in records of at most `size` bytes each.
std::string Records(std::string_view message, size_t size);

// A whole hello in one record.
std::string Hello(std::string_view extensions);

// The first bytes that an OpenSSL client sends; `name` may be empty.
std::string OpenSslHello(const std::string& name, std::string_view alpn = "");

}  // namespace palyra::tests

#endif  // PALYRA_TESTS_UNIT_BROKER_HELLOS_H_
