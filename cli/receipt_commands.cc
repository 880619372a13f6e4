#include "cli/receipt_commands.h"

#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "base/ed25519.h"
#include "base/file.h"
#include "cli/console.h"
#include "cli/receipt_signer.h"
#include "engine/dsse.h"
#include "engine/receipt_key.h"

namespace palyra::cli {
namespace {

constexpr const char* kProgram = "palyra receipt";
constexpr int kStatusBad = 1;
constexpr int kStatusCannot = 2;

void Print(const std::string& text) { (void)base::WriteAll(STDOUT_FILENO, text, "stdout"); }

int Cannot(const std::string& message) {
  Say(kProgram, message);
  return kStatusCannot;
}

Result<std::string> ReadPublicKey(const std::string& path) {
  if (!path.empty()) return base::ReadFile(path);
  Result<std::string> own = engine::ReceiptPublicKey();
  if (own || own.error().code != ErrorCode::kNotFound) return own;
  return Fail(ErrorCode::kNotFound,
              "this machine has signed no receipt yet; name the key of the one that has by --key");
}

int Verify(const std::string& path, const std::string& key_path) {
  const Result<std::string> pem = ReadPublicKey(key_path);
  if (!pem) return Cannot(pem.error().message);
  const Result<base::PublicKey> key = base::PublicKey::FromPem(*pem);
  if (!key) return Cannot(fmt::format("--key: {}", key.error().message));
  const Result<std::string> text = base::ReadFile(path);
  if (!text) return Cannot(text.error().message);
  const Result<std::string> payload = engine::OpenEnvelope(*text, kReceiptType, *key);
  if (!payload) {
    Say(kProgram, fmt::format("\"{}\": {}", path, payload.error().message));
    return kStatusBad;
  }
  const auto receipt = nlohmann::json::parse(*payload, nullptr, false);
  if (receipt.is_discarded()) {
    Say(kProgram, fmt::format("\"{}\" is signed, and no JSON", path));
    return kStatusBad;
  }
  Print(receipt.dump(2, ' ', true) + '\n');
  return 0;
}

int Key() {
  const Result<std::string> pem = ReadPublicKey("");
  if (!pem) return Cannot(pem.error().message);
  Print(*pem);
  return 0;
}

}  // namespace

void AddReceiptCommands(CLI::App& app, int& status) {
  struct Arguments {
    std::string path;
    std::string key;
  };
  const auto arguments = std::make_shared<Arguments>();
  CLI::App* receipt = app.add_subcommand("receipt", "signed statements of what ran");
  receipt->require_subcommand(1);
  CLI::App* verify =
      receipt->add_subcommand("verify", "check that it is as it was signed, and print it");
  verify->add_option("FILE", arguments->path, "written by palyra-run --receipt")->required();
  verify->add_option("--key", arguments->key, "public key, PEM; else this machine's");
  verify->callback([=, &status] { status = Verify(arguments->path, arguments->key); });
  CLI::App* key = receipt->add_subcommand("key", "print the public key of this machine, PEM");
  key->callback([&status] { status = Key(); });
}

}  // namespace palyra::cli
