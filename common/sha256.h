#ifndef QUANTRY_COMMON_SHA256_H_
#define QUANTRY_COMMON_SHA256_H_

#include <filesystem>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace quantry {

// SHA-256 (FIPS 180-4, by OpenSSL), fed piece by piece. Not thread-safe.
class Sha256 {
 public:
  Sha256();
  ~Sha256();
  Sha256(const Sha256&) = delete;
  Sha256& operator=(const Sha256&) = delete;

  void Update(absl::string_view data);
  // 64 lower-case hex digits. Call once, at the end.
  std::string HexDigest();

 private:
  struct Context;
  std::unique_ptr<Context> context_;
};

std::string Sha256Hex(absl::string_view data);
absl::StatusOr<std::string> Sha256HexOfFile(const std::filesystem::path& path);

// Whether `text` is 64 lower-case hex digits.
bool IsSha256Hex(absl::string_view text);

}  // namespace quantry

#endif  // QUANTRY_COMMON_SHA256_H_
