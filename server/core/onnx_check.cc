#include "server/core/onnx_check.h"

#include <algorithm>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "google/protobuf/io/coded_stream.h"
#include "google/protobuf/wire_format_lite.h"

namespace quantry::server {
namespace {

using google::protobuf::internal::WireFormatLite;

constexpr int kGraphField = 7;

// The wire type of a field of ModelProto; -1 if it has no such field.
int ExpectedWireType(int field) {
  switch (field) {
    case 1:  // ir_version
    case 5:  // model_version
      return WireFormatLite::WIRETYPE_VARINT;
    case 2:            // producer_name
    case 3:            // producer_version
    case 4:            // domain
    case 6:            // doc_string
    case kGraphField:  // graph
    case 8:            // opset_import
    case 14:           // metadata_props
    case 20:           // training_info
    case 25:           // functions
      return WireFormatLite::WIRETYPE_LENGTH_DELIMITED;
    default:
      return -1;
  }
}

absl::Status NotOnnx(absl::string_view why) {
  return absl::InvalidArgumentError(absl::StrCat("the model is no ONNX file (", why,
                                                 "); export it with torch.onnx.export or "
                                                 "another tool that writes ONNX, or save it "
                                                 "with torch.jit.trace or torch.jit.script"));
}

}  // namespace

bool LooksLikeTorchScript(absl::string_view head) {
  return absl::StartsWith(head, absl::string_view("PK\x03\x04", 4));
}

absl::Status CheckOnnxHead(absl::string_view head, int64_t file_size) {
  google::protobuf::io::CodedInputStream input(reinterpret_cast<const uint8_t*>(head.data()),
                                               static_cast<int>(head.size()));
  const auto position = [&] { return static_cast<int64_t>(input.CurrentPosition()); };
  const bool seen_all = static_cast<int64_t>(head.size()) == file_size;
  bool has_graph = false;
  while (position() < static_cast<int64_t>(head.size())) {
    const int64_t start = position();
    const uint32_t tag = input.ReadTag();
    const int field = WireFormatLite::GetTagFieldNumber(tag);
    if (tag == 0 && !seen_all && has_graph) break;
    if (tag == 0 || ExpectedWireType(field) != WireFormatLite::GetTagWireType(tag)) {
      return NotOnnx(absl::StrCat("byte ", start, " starts no field of an ONNX model"));
    }
    uint64_t value = 0;
    if (!input.ReadVarint64(&value)) {
      if (!seen_all) break;
      return NotOnnx(absl::StrCat("the field at byte ", start, " is cut short"));
    }
    has_graph = has_graph || field == kGraphField;
    if (ExpectedWireType(field) == WireFormatLite::WIRETYPE_VARINT) continue;
    if (value > static_cast<uint64_t>(file_size - position())) {
      return NotOnnx(absl::StrCat("the field at byte ", start, " has ", value,
                                  " bytes, but the file ends after ", file_size - position()));
    }
    if (!input.Skip(static_cast<int>(std::min<uint64_t>(value, head.size())))) break;
  }
  if (!has_graph && seen_all) return NotOnnx("it has no graph");
  return absl::OkStatus();
}

}  // namespace quantry::server
