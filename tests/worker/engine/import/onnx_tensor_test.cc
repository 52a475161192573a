#include "worker/engine/import/onnx_tensor.h"

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <limits>

#include "tests/worker/engine/import/onnx_model.h"

namespace quantry::engine {
namespace {

using ::testing::HasSubstr;
namespace fs = std::filesystem;

// The elements 1 and 3 in every type, as raw bytes.
template <typename T>
std::string Raw(T a, T b) {
  std::string bytes(2 * sizeof(T), '\0');
  std::memcpy(bytes.data(), &a, sizeof(T));
  std::memcpy(bytes.data() + sizeof(T), &b, sizeof(T));
  return bytes;
}

struct TypeCase {
  int32_t type;
  std::string raw;
  at::ScalarType expected;
};

std::vector<TypeCase> TypeCases() {
  using P = onnx::TensorProto;
  return {{P::FLOAT, Raw<float>(1, 3), at::kFloat},
          {P::DOUBLE, Raw<double>(1, 3), at::kDouble},
          {P::FLOAT16, Raw<at::Half>(at::Half(1.f), at::Half(3.f)), at::kFloat},
          {P::BFLOAT16, Raw<at::BFloat16>(at::BFloat16(1.f), at::BFloat16(3.f)), at::kFloat},
          {P::INT8, Raw<int8_t>(1, 3), at::kChar},
          {P::UINT8, Raw<uint8_t>(1, 3), at::kByte},
          {P::INT16, Raw<int16_t>(1, 3), at::kShort},
          {P::UINT16, Raw<uint16_t>(1, 3), at::kInt},
          {P::INT32, Raw<int32_t>(1, 3), at::kInt},
          {P::UINT32, Raw<uint32_t>(1, 3), at::kLong},
          {P::INT64, Raw<int64_t>(1, 3), at::kLong}};
}

onnx::TensorProto Pair(int32_t type) {
  onnx::TensorProto tensor;
  tensor.set_name("t");
  tensor.set_data_type(type);
  tensor.add_dims(2);
  return tensor;
}

void ExpectOneAndThree(const absl::StatusOr<at::Tensor>& tensor, at::ScalarType dtype) {
  ASSERT_TRUE(tensor.ok()) << tensor.status();
  EXPECT_EQ(tensor->scalar_type(), dtype);
  EXPECT_TRUE(tensor->to(at::kDouble).equal(at::tensor({1.0, 3.0}, at::kDouble))) << *tensor;
}

TEST(OnnxTensor, ReadsRawDataOfEveryType) {
  for (const TypeCase& test : TypeCases()) {
    SCOPED_TRACE(test.type);
    onnx::TensorProto proto = Pair(test.type);
    proto.set_raw_data(test.raw);
    ExpectOneAndThree(OnnxTensorReader(std::nullopt).Read(proto), test.expected);
  }
}

TEST(OnnxTensor, ReadsTypedFieldsOfEveryType) {
  using P = onnx::TensorProto;
  for (const TypeCase& test : TypeCases()) {
    SCOPED_TRACE(test.type);
    onnx::TensorProto proto = Pair(test.type);
    for (const int element : {1, 3}) {
      const auto number = static_cast<float>(element);
      if (test.type == P::FLOAT) {
        proto.add_float_data(number);
      } else if (test.type == P::DOUBLE) {
        proto.add_double_data(element);
      } else if (test.type == P::INT64) {
        proto.add_int64_data(element);
      } else if (test.type == P::UINT32) {
        proto.add_uint64_data(static_cast<uint64_t>(element));
      } else if (test.type == P::FLOAT16) {
        proto.add_int32_data(at::Half(number).x);
      } else if (test.type == P::BFLOAT16) {
        proto.add_int32_data(at::BFloat16(number).x);
      } else {
        proto.add_int32_data(element);
      }
    }
    ExpectOneAndThree(OnnxTensorReader(std::nullopt).Read(proto), test.expected);
  }
}

// Two elements a byte, the first in the low bits; an odd one out leaves the last high bits unused.
TEST(OnnxTensor, ReadsFourBits) {
  struct Case {
    int32_t type;
    at::ScalarType dtype;
    std::vector<int> expected;
  };
  for (const Case& test : {Case{21, at::kByte, {1, 15, 8}}, Case{22, at::kChar, {1, -1, -8}}}) {
    SCOPED_TRACE(test.type);
    onnx::TensorProto proto = Pair(test.type);
    proto.set_dims(0, 3);
    onnx::TensorProto field = proto;
    proto.set_raw_data("\xf1\x78");
    field.add_int32_data(0xf1);
    field.add_int32_data(0x78);
    for (const onnx::TensorProto& one : {proto, field}) {
      const auto tensor = OnnxTensorReader(std::nullopt).Read(one);
      ASSERT_TRUE(tensor.ok()) << tensor.status();
      EXPECT_EQ(tensor->scalar_type(), test.dtype);
      EXPECT_TRUE(tensor->to(at::kInt).equal(at::tensor(test.expected, at::kInt))) << *tensor;
    }
    proto.set_raw_data("\xf1\x78\x01");
    EXPECT_FALSE(OnnxTensorReader(std::nullopt).Read(proto).ok());
    proto.set_raw_data("\xf1");
    EXPECT_FALSE(OnnxTensorReader(std::nullopt).Read(proto).ok());
    field.add_int32_data(0);
    EXPECT_FALSE(OnnxTensorReader(std::nullopt).Read(field).ok());
  }
}

TEST(OnnxTensor, ReadsBoolAndScalar) {
  onnx::TensorProto flags = Pair(onnx::TensorProto::BOOL);
  flags.set_raw_data(std::string("\0\7", 2));
  const auto read = OnnxTensorReader(std::nullopt).Read(flags);
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_FALSE((*read)[0].item<bool>());
  EXPECT_TRUE((*read)[1].item<bool>());
  const auto scalar = OnnxTensorReader(std::nullopt).Read(FloatTensor("s", {}, {4}));
  ASSERT_TRUE(scalar.ok()) << scalar.status();
  EXPECT_EQ(scalar->dim(), 0);
}

std::string ErrorOf(const onnx::TensorProto& proto) {
  const auto tensor = OnnxTensorReader(std::nullopt).Read(proto);
  EXPECT_EQ(tensor.status().code(), absl::StatusCode::kInvalidArgument);
  return std::string(tensor.status().message());
}

TEST(OnnxTensor, RefusesDimensionsThatOverflow) {
  const int64_t big = int64_t{1} << 40;
  EXPECT_THAT(ErrorOf(FloatTensor("huge", {big, big}, {1})),
              testing::AllOf(HasSubstr("'huge'"), HasSubstr("overflows")));
  EXPECT_THAT(ErrorOf(FloatTensor("t", {std::numeric_limits<int64_t>::max()}, {1})),
              HasSubstr("elements"));
  EXPECT_THAT(ErrorOf(FloatTensor("t", {2, -1}, {1})), HasSubstr("-1 is negative"));
  EXPECT_THAT(ErrorOf(FloatTensor("t", std::vector<int64_t>(17, 1), {1})), HasSubstr("at most 16"));
}

TEST(OnnxTensor, RefusesDataThatDoesNotFit) {
  EXPECT_THAT(ErrorOf(FloatTensor("t", {3}, {1, 2})), HasSubstr("ask for 3"));
  EXPECT_THAT(ErrorOf(FloatTensor("t", {1}, {1, 2})), HasSubstr("ask for 1"));
  // A few bytes must not make a large tensor.
  EXPECT_THAT(ErrorOf(FloatTensor("t", {1 << 30}, {1})), HasSubstr("less data"));
  onnx::TensorProto raw = Pair(onnx::TensorProto::FLOAT);
  raw.set_raw_data("abcdefg");
  EXPECT_THAT(ErrorOf(raw), HasSubstr("ask for"));
  EXPECT_THAT(ErrorOf(Pair(onnx::TensorProto::STRING)), HasSubstr("not supported"));
  EXPECT_THAT(ErrorOf(Pair(onnx::TensorProto::COMPLEX64)), HasSubstr("not supported"));
}

class ExternalData : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = fs::path(testing::TempDir()) / "quantry_external_data";
    fs::remove_all(folder_);
    fs::create_directories(folder_ / "model" / "data");
    Write(folder_ / "secret.bin");
    Write(folder_ / "model" / "data" / "w.bin");
    fs::create_symlink(folder_ / "secret.bin", folder_ / "model" / "link.bin");
  }
  void TearDown() override { fs::remove_all(folder_); }

  static void Write(const fs::path& path) {
    std::ofstream(path, std::ios::binary) << Raw<float>(7, 7) << Raw<float>(1, 3);
  }

  absl::StatusOr<at::Tensor> Read(const std::string& location, const std::string& offset = "8",
                                  const std::string& length = "8") const {
    onnx::TensorProto proto = Pair(onnx::TensorProto::FLOAT);
    proto.set_data_location(onnx::TensorProto::EXTERNAL);
    const std::pair<std::string, std::string> entries[] = {
        {"location", location}, {"offset", offset}, {"length", length}};
    for (const auto& [key, value] : entries) {
      auto* entry = proto.add_external_data();
      entry->set_key(key);
      entry->set_value(value);
    }
    return OnnxTensorReader(folder_ / "model").Read(proto);
  }

  fs::path folder_;
};

TEST_F(ExternalData, IsReadBelowTheFolder) {
  ExpectOneAndThree(Read("data/w.bin"), at::kFloat);
  ExpectOneAndThree(Read("data/../data/w.bin"), at::kFloat);
}

TEST_F(ExternalData, IsRefusedOutsideTheFolder) {
  for (const std::string& location :
       {std::string("../secret.bin"), (folder_ / "model/data/w.bin").string(),
        std::string("data/../../secret.bin"), std::string("link.bin"), std::string(""),
        std::string(".")}) {
    const auto tensor = Read(location);
    EXPECT_EQ(tensor.status().code(), absl::StatusCode::kInvalidArgument) << location;
    EXPECT_THAT(tensor.status().message(), HasSubstr("below the model's folder")) << location;
  }
}

TEST_F(ExternalData, IsRefusedWhereItIsTooShort) {
  EXPECT_THAT(Read("data/w.bin", "12").status().message(), HasSubstr("too few"));
  EXPECT_THAT(Read("data/w.bin", "9223372036854775807").status().message(), HasSubstr("too few"));
  EXPECT_THAT(Read("data/w.bin", "-8").status().message(), HasSubstr("offset '-8'"));
  EXPECT_THAT(Read("data/w.bin", "0", "16").status().message(), HasSubstr("length 16"));
  EXPECT_THAT(Read("data/missing.bin").status().message(), HasSubstr("no file"));
}

}  // namespace
}  // namespace quantry::engine
