#include "tests/unit/cli/tls_server.h"

#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/x509.h>

#include <array>
#include <stdexcept>

namespace palyra::tests {
namespace {

using Ssl = std::unique_ptr<SSL, decltype(&SSL_free)>;

Ssl NewSsl(SSL_CTX* context, int fd) {
  Ssl ssl(SSL_new(context), SSL_free);
  SSL_set_fd(ssl.get(), fd);
  return ssl;
}

std::string ReadMessage(SSL* ssl) {
  std::array<char, 256> bytes = {};
  const int size = SSL_read(ssl, bytes.data(), bytes.size());
  return {bytes.data(), static_cast<size_t>(size > 0 ? size : 0)};
}

}  // namespace

TlsServer::TlsServer() : context_(SSL_CTX_new(TLS_server_method()), SSL_CTX_free) {
  const std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)> key(EVP_EC_gen("P-256"), EVP_PKEY_free);
  const std::unique_ptr<X509, decltype(&X509_free)> certificate(X509_new(), X509_free);
  X509_gmtime_adj(X509_getm_notBefore(certificate.get()), 0);
  X509_gmtime_adj(X509_getm_notAfter(certificate.get()), 3600);
  X509_set_pubkey(certificate.get(), key.get());
  if (X509_sign(certificate.get(), key.get(), EVP_sha256()) == 0 ||
      SSL_CTX_use_certificate(context_.get(), certificate.get()) != 1 ||
      SSL_CTX_use_PrivateKey(context_.get(), key.get()) != 1) {
    throw std::runtime_error("cannot make a certificate");
  }
}

std::string TlsServer::Answer(int fd) const {
  const Ssl ssl = NewSsl(context_.get(), fd);
  if (SSL_accept(ssl.get()) != 1) return "no handshake";
  const std::string message = ReadMessage(ssl.get());
  const char* const name = SSL_get_servername(ssl.get(), TLSEXT_NAMETYPE_host_name);
  const std::string answer = std::string(name == nullptr ? "" : name) + ": " + message;
  const int size = static_cast<int>(answer.size());
  return SSL_write(ssl.get(), answer.data(), size) == size ? "" : "no answer";
}

TlsAnswer AskByTls(int fd, const std::string& name, const std::string& message) {
  const std::unique_ptr<SSL_CTX, decltype(&SSL_CTX_free)> context(SSL_CTX_new(TLS_client_method()),
                                                                  SSL_CTX_free);
  const Ssl ssl = NewSsl(context.get(), fd);
  SSL_ctrl(ssl.get(), SSL_CTRL_SET_TLSEXT_HOSTNAME, 0, const_cast<char*>(name.c_str()));
  ERR_clear_error();
  if (SSL_connect(ssl.get()) != 1) {
    const int reason = ERR_GET_REASON(ERR_peek_error());
    return {.text = "", .alert = reason > SSL_AD_REASON_OFFSET ? reason - SSL_AD_REASON_OFFSET : 0};
  }
  SSL_write(ssl.get(), message.data(), static_cast<int>(message.size()));
  return {.text = ReadMessage(ssl.get()), .alert = 0};
}

}  // namespace palyra::tests
