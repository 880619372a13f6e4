#include "tests/unit/broker/hellos.h"

#include <openssl/bio.h>
#include <openssl/ssl.h>

#include <memory>

namespace palyra::tests {

std::span<const uint8_t> AsBytes(std::string_view text) {
  return {reinterpret_cast<const uint8_t*>(text.data()), text.size()};
}

std::string Number(size_t value, size_t width) {
  std::string bytes(width, '\0');
  for (size_t i = width; i > 0; --i, value >>= 8) bytes[i - 1] = static_cast<char>(value & 0xff);
  return bytes;
}

std::string Vector(std::string_view content, size_t width) {
  return Number(content.size(), width) + std::string(content);
}

std::string Extension(size_t type, std::string_view data) {
  return Number(type, 2) + Vector(data, 2);
}

std::string ServerName(std::string_view name) {
  return Extension(0, Vector(Number(0, 1) + Vector(name, 2), 2));
}

std::string Alpn(const std::vector<std::string>& protocols) {
  std::string names;
  for (const std::string& protocol : protocols) names += Vector(protocol, 1);
  return Extension(16, Vector(names, 2));
}

std::string HelloBody(std::string_view extensions) {
  return Number(0x0303, 2) + std::string(32, 'r') + Vector(std::string(32, 's'), 1) +
         Vector(Number(0x1301, 2), 2) + Vector(Number(0, 1), 1) + Vector(extensions, 2);
}

std::string Message(uint8_t type, std::string_view body) {
  return Number(type, 1) + Vector(body, 3);
}

std::string Record(std::string_view content, uint8_t type, uint8_t minor_version) {
  return Number(type, 1) + Number(3, 1) + Number(minor_version, 1) + Vector(content, 2);
}

std::string Records(std::string_view message, size_t size) {
  std::string records;
  for (; !message.empty(); message.remove_prefix(std::min(size, message.size()))) {
    records += Record(message.substr(0, size));
  }
  return records;
}

std::string Hello(std::string_view extensions) { return Record(Message(1, HelloBody(extensions))); }

std::string OpenSslHello(const std::string& name, std::string_view alpn) {
  const std::unique_ptr<SSL_CTX, decltype(&SSL_CTX_free)> context(SSL_CTX_new(TLS_client_method()),
                                                                  SSL_CTX_free);
  const std::unique_ptr<SSL, decltype(&SSL_free)> ssl(SSL_new(context.get()), SSL_free);
  BIO* const output = BIO_new(BIO_s_mem());
  SSL_set_bio(ssl.get(), BIO_new(BIO_s_mem()), output);
  if (!name.empty())
    SSL_ctrl(ssl.get(), SSL_CTRL_SET_TLSEXT_HOSTNAME, 0, const_cast<char*>(name.c_str()));
  if (!alpn.empty()) {
    const std::string list = Vector(alpn, 1);
    SSL_set_alpn_protos(ssl.get(), AsBytes(list).data(), static_cast<unsigned>(list.size()));
  }
  (void)SSL_connect(ssl.get());
  char* data = nullptr;
  const long size = BIO_ctrl(output, BIO_CTRL_INFO, 0, static_cast<void*>(&data));
  return {data, static_cast<size_t>(size)};
}

}  // namespace palyra::tests
