#include "client/field_value.h"

#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/time/time.h"
#include "common/status_macros.h"
#include "google/protobuf/descriptor.h"
#include "google/protobuf/duration.pb.h"

namespace quantry::client {
namespace {

using google::protobuf::EnumDescriptor;
using google::protobuf::EnumValueDescriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;

absl::Status Refuse(absl::string_view text, absl::string_view allowed) {
  return absl::InvalidArgumentError(absl::StrCat("is '", text, "'; allowed: ", allowed));
}

// "MODE_" of enum Mode's values: what all of them begin with.
std::string EnumPrefix(const EnumDescriptor& type) {
  std::string prefix;
  for (const char c : type.name()) {
    if (absl::ascii_isupper(static_cast<unsigned char>(c)) && !prefix.empty()) prefix += '_';
    prefix += absl::ascii_toupper(static_cast<unsigned char>(c));
  }
  return prefix + "_";
}

absl::StatusOr<const EnumValueDescriptor*> ParseEnum(absl::string_view text,
                                                     const EnumDescriptor& type) {
  const std::string upper = absl::AsciiStrToUpper(text);
  const std::string prefix = EnumPrefix(type);
  std::vector<std::string> allowed;
  for (int i = 0; i < type.value_count(); ++i) {
    const EnumValueDescriptor& value = *type.value(i);
    if (value.number() == 0) continue;  // UNSPECIFIED says nothing
    const std::string name(absl::StripPrefix(value.name(), prefix));
    if (upper == name || upper == value.name()) return &value;
    allowed.push_back(absl::AsciiStrToLower(name));
  }
  return Refuse(text, absl::StrJoin(allowed, ", "));
}

template <typename Integer>
absl::StatusOr<Integer> ParseInteger(absl::string_view text) {
  Integer value = 0;
  if (!absl::SimpleAtoi(text, &value)) {
    return Refuse(text, absl::StrCat("an integer of ", 8 * sizeof(Integer), " bits"));
  }
  return value;
}

absl::StatusOr<double> ParseNumber(absl::string_view text) {
  double value = 0;
  if (!absl::SimpleAtod(text, &value) || !std::isfinite(value)) return Refuse(text, "a number");
  return value;
}

absl::StatusOr<bool> ParseBool(absl::string_view text) {
  bool value = false;
  if (!absl::SimpleAtob(text, &value)) return Refuse(text, "true, false");
  return value;
}

absl::Status SetDuration(absl::string_view text, const FieldDescriptor& field, Message& message) {
  absl::Duration value;
  if (!absl::ParseDuration(text, &value) || value == absl::InfiniteDuration() ||
      value == -absl::InfiniteDuration()) {
    return Refuse(text, "a length of time such as 90s, 45m, 2h30m");
  }
  google::protobuf::Duration duration;
  duration.set_seconds(absl::IDivDuration(value, absl::Seconds(1), &value));
  duration.set_nanos(static_cast<int32_t>(absl::ToInt64Nanoseconds(value)));
  message.GetReflection()->MutableMessage(&message, &field)->CopyFrom(duration);
  return absl::OkStatus();
}

// Sets a singular field or appends to a repeated one.
template <typename Value>
void Store(Value value, const FieldDescriptor& field, Message& message,
           void (Reflection::*set)(Message*, const FieldDescriptor*, Value) const,
           void (Reflection::*add)(Message*, const FieldDescriptor*, Value) const) {
  const Reflection& reflection = *message.GetReflection();
  (reflection.*(field.is_repeated() ? add : set))(&message, &field, std::move(value));
}

absl::Status StoreOne(absl::string_view text, const FieldDescriptor& field, Message& message) {
  switch (field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_INT32: {
      QUANTRY_ASSIGN_OR_RETURN(const int32_t value, ParseInteger<int32_t>(text));
      Store(value, field, message, &Reflection::SetInt32, &Reflection::AddInt32);
      return absl::OkStatus();
    }
    case FieldDescriptor::CPPTYPE_INT64: {
      QUANTRY_ASSIGN_OR_RETURN(const int64_t value, ParseInteger<int64_t>(text));
      Store(value, field, message, &Reflection::SetInt64, &Reflection::AddInt64);
      return absl::OkStatus();
    }
    case FieldDescriptor::CPPTYPE_DOUBLE: {
      QUANTRY_ASSIGN_OR_RETURN(const double value, ParseNumber(text));
      Store(value, field, message, &Reflection::SetDouble, &Reflection::AddDouble);
      return absl::OkStatus();
    }
    case FieldDescriptor::CPPTYPE_BOOL: {
      QUANTRY_ASSIGN_OR_RETURN(const bool value, ParseBool(text));
      Store(value, field, message, &Reflection::SetBool, &Reflection::AddBool);
      return absl::OkStatus();
    }
    case FieldDescriptor::CPPTYPE_STRING:
      if (field.is_repeated()) {
        message.GetReflection()->AddString(&message, &field, std::string(text));
      } else {
        message.GetReflection()->SetString(&message, &field, std::string(text));
      }
      return absl::OkStatus();
    case FieldDescriptor::CPPTYPE_ENUM: {
      QUANTRY_ASSIGN_OR_RETURN(const EnumValueDescriptor* value,
                               ParseEnum(text, *field.enum_type()));
      Store(value, field, message, &Reflection::SetEnum, &Reflection::AddEnum);
      return absl::OkStatus();
    }
    case FieldDescriptor::CPPTYPE_MESSAGE:
      return SetDuration(text, field, message);
    default:
      return absl::InternalError(absl::StrCat("field ", field.full_name(), " can't be set"));
  }
}

}  // namespace

bool IsSettableField(const FieldDescriptor& field) {
  switch (field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_INT32:
    case FieldDescriptor::CPPTYPE_INT64:
    case FieldDescriptor::CPPTYPE_DOUBLE:
    case FieldDescriptor::CPPTYPE_BOOL:
    case FieldDescriptor::CPPTYPE_STRING:
    case FieldDescriptor::CPPTYPE_ENUM:
      return true;
    case FieldDescriptor::CPPTYPE_MESSAGE:
      return !field.is_repeated() &&
             field.message_type() == google::protobuf::Duration::descriptor();
    default:
      return false;
  }
}

absl::Status SetFieldFromText(absl::string_view text, const FieldDescriptor& field,
                              Message& message) {
  if (!field.is_repeated()) return StoreOne(text, field, message);
  message.GetReflection()->ClearField(&message, &field);
  if (text.empty()) return absl::OkStatus();
  for (const absl::string_view item : absl::StrSplit(text, ',')) {
    QUANTRY_RETURN_IF_ERROR(StoreOne(absl::StripAsciiWhitespace(item), field, message));
  }
  return absl::OkStatus();
}

}  // namespace quantry::client
