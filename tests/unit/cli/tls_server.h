// TLS on both sides of a connection, by OpenSSL, for tests.

#ifndef PALYRA_TESTS_UNIT_CLI_TLS_SERVER_H_
#define PALYRA_TESTS_UNIT_CLI_TLS_SERVER_H_

#include <openssl/ssl.h>

#include <memory>
#include <string>

namespace palyra::tests {

// With a key and a certificate of its own, made anew.
class TlsServer {
 public:
  TlsServer();

  // Shakes hands on the connected socket, reads one message and answers it with
  // "<name that the client asked for>: <message>". "" or what went wrong.
  [[nodiscard]] std::string Answer(int fd) const;

 private:
  std::unique_ptr<SSL_CTX, decltype(&SSL_CTX_free)> context_;
};

// Shakes hands as a client that asks for `name`, sends the message, and gives the answer; "" if
// there is none, and the alert then, as a number of TLS, or 0.
struct TlsAnswer {
  std::string text;
  int alert = 0;
};
TlsAnswer AskByTls(int fd, const std::string& name, const std::string& message);

}  // namespace palyra::tests

#endif  // PALYRA_TESTS_UNIT_CLI_TLS_SERVER_H_
