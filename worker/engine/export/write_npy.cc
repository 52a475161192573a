#include "worker/engine/export/write_npy.h"

#include <ATen/ATen.h>

#include <bit>
#include <string>

#include "absl/strings/str_cat.h"
#include "common/files.h"

namespace quantry::engine {
namespace {

static_assert(std::endian::native == std::endian::little, "'<f4' is little-endian");

constexpr absl::string_view kMagic("\x93NUMPY\x01\x00", 8);
constexpr size_t kAlignment = 64;  // of the data, as NumPy itself writes it

// The Python literal that describes the array, padded so that the data begins aligned.
std::string Header(at::IntArrayRef sizes) {
  std::string shape;
  for (const int64_t size : sizes) absl::StrAppend(&shape, size, ",");
  std::string header =
      absl::StrCat("{'descr': '<f4', 'fortran_order': False, 'shape': (", shape, "), }");
  const size_t used = kMagic.size() + sizeof(uint16_t) + header.size() + 1;
  header.append((kAlignment - used % kAlignment) % kAlignment, ' ');
  return header + "\n";
}

}  // namespace

absl::Status WriteNpyFile(const at::Tensor& tensor, const std::filesystem::path& path) {
  if (tensor.scalar_type() != at::kFloat) {
    return absl::InvalidArgumentError(absl::StrCat(
        path.string(), ": an array of ", c10::toString(tensor.scalar_type()), ", not of Float"));
  }
  const at::Tensor plain = tensor.detach().cpu().contiguous();
  const std::string header = Header(plain.sizes());
  const char length[] = {static_cast<char>(header.size() & 0xff),
                         static_cast<char>(header.size() >> 8)};
  return WriteFileAtomically(
      path,
      absl::StrCat(kMagic, absl::string_view(length, sizeof(length)), header,
                   absl::string_view(static_cast<const char*>(plain.data_ptr()), plain.nbytes())));
}

}  // namespace quantry::engine
