// Clients that do what tests want, and a certificate for them.
#pragma once

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <array>
#include <cstdio>
#include <memory>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/unique_fd.h"

namespace acceptq::agent {

class TestClient {
 public:
  explicit TestClient(std::uint16_t port) : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    connected_ =
        ::connect(fd_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
  }

  [[nodiscard]] bool connected() const { return connected_; }
  [[nodiscard]] int fd() const { return fd_.get(); }
  bool send(std::string_view bytes) const {
    return ::send(fd_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL) ==
           static_cast<ssize_t>(bytes.size());
  }
  // What comes until the server closes, `bytes` have come, or so much time has passed.
  std::string receive(int within_ms = 3000, std::size_t bytes = std::string::npos) {
    std::string text;
    const std::int64_t deadline = monotonic_ns() + std::int64_t{within_ms} * 1'000'000;
    while (text.size() < bytes) {
      const std::int64_t left = (deadline - monotonic_ns()) / 1'000'000;
      pollfd ready{.fd = fd_.get(), .events = POLLIN, .revents = 0};
      if (left <= 0 || ::poll(&ready, 1, static_cast<int>(left)) != 1) break;
      std::array<char, 65536> piece;
      const ssize_t count = ::recv(fd_.get(), piece.data(), piece.size(), 0);
      if (count <= 0) {
        closed_ = true;
        break;
      }
      text.append(piece.data(), static_cast<std::size_t>(count));
    }
    return text;
  }
  [[nodiscard]] bool closed() const { return closed_; }

 private:
  UniqueFd fd_;
  bool connected_ = false;
  bool closed_ = false;
};

// "HTTP/1.1 200 OK …" → 200; 0 for anything else.
inline int status_of(std::string_view answer) {
  if (!answer.starts_with("HTTP/1.1 ") || answer.size() < 12) return 0;
  return std::stoi(std::string(answer.substr(9, 3)));
}

inline std::string http_get(std::uint16_t port, const std::string& path,
                            const std::string& headers = "") {
  TestClient client(port);
  client.send("GET " + path + " HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n" + headers +
              "\r\n");
  return client.receive();
}

// The same through TLS, at the version given; empty where the handshake fails.
inline std::string https_get(std::uint16_t port, const std::string& path, int version,
                             const std::string& headers = "") {
  const TestClient client(port);
  const std::unique_ptr<SSL_CTX, void (*)(SSL_CTX*)> context(SSL_CTX_new(TLS_client_method()),
                                                             SSL_CTX_free);
  SSL_CTX_set_min_proto_version(context.get(), version);
  SSL_CTX_set_max_proto_version(context.get(), version);
  SSL_CTX_set_cipher_list(context.get(), "DEFAULT@SECLEVEL=0");  // lets TLS 1.0 be tried at all
  const std::unique_ptr<SSL, void (*)(SSL*)> ssl(SSL_new(context.get()), SSL_free);
  SSL_set_fd(ssl.get(), client.fd());
  if (SSL_connect(ssl.get()) != 1) return "";
  const std::string request =
      "GET " + path + " HTTP/1.1\r\nConnection: close\r\n" + headers + "\r\n";
  SSL_write(ssl.get(), request.data(), static_cast<int>(request.size()));
  std::string answer;
  std::array<char, 65536> piece;
  int count = 0;
  while ((count = SSL_read(ssl.get(), piece.data(), piece.size())) > 0) {
    answer.append(piece.data(), static_cast<std::size_t>(count));
  }
  return answer;
}

// A folder of its own with a certificate for localhost that signs itself, its key, and a token.
class TestSecrets {
 public:
  TestSecrets() {
    std::array<char, 32> path{"/tmp/acceptq-http-XXXXXX"};
    folder_ = ::mkdtemp(path.data());
    renew();
    write_private(token_path(), "0123456789abcdef\n");
  }
  ~TestSecrets() {
    for (const std::string& path : {certificate_path(), key_path(), token_path()}) {
      std::remove(path.c_str());
    }
    ::rmdir(folder_.c_str());
  }
  TestSecrets(const TestSecrets&) = delete;
  TestSecrets& operator=(const TestSecrets&) = delete;

  [[nodiscard]] std::string certificate_path() const { return folder_ + "/cert.pem"; }
  [[nodiscard]] std::string key_path() const { return folder_ + "/key.pem"; }
  [[nodiscard]] std::string token_path() const { return folder_ + "/token"; }

  // Another certificate and key.
  void renew() const {
    EVP_PKEY* const key = EVP_EC_gen("P-256");
    X509* const certificate = X509_new();
    X509_set_version(certificate, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1);
    X509_gmtime_adj(X509_getm_notBefore(certificate), 0);
    X509_gmtime_adj(X509_getm_notAfter(certificate), 3600);
    X509_set_pubkey(certificate, key);
    X509_NAME* const name = X509_get_subject_name(certificate);
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC,
                               reinterpret_cast<const unsigned char*>("localhost"), -1, -1, 0);
    X509_set_issuer_name(certificate, name);
    X509_sign(certificate, key, EVP_sha256());
    FILE* file = std::fopen(certificate_path().c_str(), "w");
    PEM_write_X509(file, certificate);
    std::fclose(file);
    write_private(key_path(), "");
    file = std::fopen(key_path().c_str(), "w");
    PEM_write_PrivateKey(file, key, nullptr, nullptr, 0, nullptr, nullptr);
    std::fclose(file);
    X509_free(certificate);
    EVP_PKEY_free(key);
  }

  static void write_private(const std::string& path, std::string_view text) {
    FILE* const file = std::fopen(path.c_str(), "w");
    std::fwrite(text.data(), 1, text.size(), file);
    std::fclose(file);
    ::chmod(path.c_str(), 0600);
  }

 private:
  std::string folder_;
};

}  // namespace acceptq::agent
