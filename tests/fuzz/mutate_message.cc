#include "tests/fuzz/mutate_message.h"

#include <google/protobuf/descriptor.h>

#include "tests/fuzz/mutate_bytes.h"

namespace quantry {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;

constexpr size_t kMostMessages = 3000;

// All messages inside, and all strings of names.
void Collect(Message& message, std::vector<Message*>& messages, std::vector<std::string>& strings) {
  if (messages.size() >= kMostMessages) return;
  messages.push_back(&message);
  const Reflection* reflection = message.GetReflection();
  std::vector<const FieldDescriptor*> fields;
  reflection->ListFields(message, &fields);
  for (const FieldDescriptor* field : fields) {
    const int count = field->is_repeated() ? reflection->FieldSize(message, field) : 1;
    for (int i = 0; i < count; ++i) {
      if (field->type() == FieldDescriptor::TYPE_STRING) {
        strings.push_back(field->is_repeated() ? reflection->GetRepeatedString(message, field, i)
                                               : reflection->GetString(message, field));
      } else if (field->cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE) {
        Collect(field->is_repeated() ? *reflection->MutableRepeatedMessage(&message, field, i)
                                     : *reflection->MutableMessage(&message, field),
                messages, strings);
      }
    }
  }
}

// Sets a field, or element `index` of a list, to something else.
class Setter {
 public:
  Setter(Message& message, const FieldDescriptor* field, int index, FuzzRng& rng)
      : message_(message), field_(field), index_(index), rng_(rng) {}

  void Set(const std::vector<std::string>& strings) {
    switch (field_->cpp_type()) {
      case FieldDescriptor::CPPTYPE_INT32:
        return Put(&Reflection::SetInt32, &Reflection::SetRepeatedInt32,
                   static_cast<int32_t>(rng_.HostileInt()));
      case FieldDescriptor::CPPTYPE_INT64:
        return Put(&Reflection::SetInt64, &Reflection::SetRepeatedInt64, rng_.HostileInt());
      case FieldDescriptor::CPPTYPE_UINT32:
        return Put(&Reflection::SetUInt32, &Reflection::SetRepeatedUInt32,
                   static_cast<uint32_t>(rng_.HostileInt()));
      case FieldDescriptor::CPPTYPE_UINT64:
        return Put(&Reflection::SetUInt64, &Reflection::SetRepeatedUInt64,
                   static_cast<uint64_t>(rng_.HostileInt()));
      case FieldDescriptor::CPPTYPE_DOUBLE:
        return Put(&Reflection::SetDouble, &Reflection::SetRepeatedDouble, rng_.HostileDouble());
      case FieldDescriptor::CPPTYPE_FLOAT:
        return Put(&Reflection::SetFloat, &Reflection::SetRepeatedFloat, HostileFloat());
      case FieldDescriptor::CPPTYPE_BOOL:
        return Put(&Reflection::SetBool, &Reflection::SetRepeatedBool, rng_.OneIn(2));
      case FieldDescriptor::CPPTYPE_ENUM:
        return Put(&Reflection::SetEnumValue, &Reflection::SetRepeatedEnumValue,
                   static_cast<int>(rng_.Below(25)));
      case FieldDescriptor::CPPTYPE_STRING:
        return SetString(strings);
      default:
        return;
    }
  }

 private:
  template <typename Single, typename Repeated, typename T>
  void Put(Single single, Repeated repeated, T value) {
    const Reflection* reflection = message_.GetReflection();
    if (field_->is_repeated()) {
      (reflection->*repeated)(&message_, field_, index_, value);
    } else {
      (reflection->*single)(&message_, field_, value);
    }
  }

  // A double that does not fit must not be converted.
  float HostileFloat() {
    const double number = rng_.HostileDouble();
    const bool fits = !(number > 1e38 || number < -1e38);
    return fits ? static_cast<float>(number) : rng_.OneIn(2) ? 3e38f : -3e38f;
  }

  void SetString(const std::vector<std::string>& strings) {
    const Reflection* reflection = message_.GetReflection();
    std::string text = field_->is_repeated()
                           ? reflection->GetRepeatedString(message_, field_, index_)
                           : reflection->GetString(message_, field_);
    const bool name = field_->type() == FieldDescriptor::TYPE_STRING;
    if (name && !strings.empty() && !rng_.OneIn(4)) {
      text = rng_.Pick(strings);
    } else if (rng_.OneIn(8)) {
      text.clear();
    } else if (rng_.OneIn(20)) {
      text = std::string(rng_.Below(5000), 'x');
    } else {
      text = MutateBytes(std::move(text), rng_);
    }
    if (field_->is_repeated()) {
      reflection->SetRepeatedString(&message_, field_, index_, std::move(text));
    } else {
      reflection->SetString(&message_, field_, std::move(text));
    }
  }

  Message& message_;
  const FieldDescriptor* field_;
  int index_;
  FuzzRng& rng_;
};

void AddElement(Message& message, const FieldDescriptor* field, FuzzRng& rng) {
  const Reflection* reflection = message.GetReflection();
  switch (field->cpp_type()) {
    case FieldDescriptor::CPPTYPE_INT32:
      return reflection->AddInt32(&message, field, static_cast<int32_t>(rng.HostileInt()));
    case FieldDescriptor::CPPTYPE_INT64:
      return reflection->AddInt64(&message, field, rng.HostileInt());
    case FieldDescriptor::CPPTYPE_FLOAT:
      return reflection->AddFloat(&message, field, rng.OneIn(2) ? 0.0f : 1.0f);
    case FieldDescriptor::CPPTYPE_STRING:
      return reflection->AddString(&message, field, "");
    case FieldDescriptor::CPPTYPE_MESSAGE: {
      const int count = reflection->FieldSize(message, field);
      if (count == 0) {
        reflection->AddMessage(&message, field);
        return;
      }
      const int which = static_cast<int>(rng.Below(static_cast<uint64_t>(count)));
      const Message& original = reflection->GetRepeatedMessage(message, field, which);
      std::string bytes = original.SerializePartialAsString();
      reflection->AddMessage(&message, field)->ParsePartialFromString(bytes);
      return;
    }
    default:
      return;
  }
}

void MutateList(Message& message, const FieldDescriptor* field,
                const std::vector<std::string>& strings, FuzzRng& rng) {
  const Reflection* reflection = message.GetReflection();
  const int count = reflection->FieldSize(message, field);
  if (count == 0 || rng.OneIn(5)) return AddElement(message, field, rng);
  const int which = static_cast<int>(rng.Below(static_cast<uint64_t>(count)));
  const int other = static_cast<int>(rng.Below(static_cast<uint64_t>(count)));
  if (rng.OneIn(4)) {
    reflection->SwapElements(&message, field, which, count - 1);
    return reflection->RemoveLast(&message, field);
  }
  if (rng.OneIn(4)) return reflection->SwapElements(&message, field, which, other);
  Setter(message, field, which, rng).Set(strings);
}

}  // namespace

void MutateMessage(Message& message, const std::vector<std::string>& words, FuzzRng& rng) {
  std::vector<Message*> messages;
  std::vector<std::string> strings = words;
  Collect(message, messages, strings);
  Message& chosen = *rng.Pick(messages);
  const Reflection* reflection = chosen.GetReflection();
  std::vector<const FieldDescriptor*> fields;
  reflection->ListFields(chosen, &fields);
  if (fields.empty() || rng.OneIn(10)) {
    const auto* descriptor = chosen.GetDescriptor();
    if (descriptor->field_count() == 0) return;
    fields = {descriptor->field(
        static_cast<int>(rng.Below(static_cast<uint64_t>(descriptor->field_count()))))};
  }
  const FieldDescriptor* field = rng.Pick(fields);
  if (field->is_repeated()) return MutateList(chosen, field, strings, rng);
  if (rng.OneIn(10)) return reflection->ClearField(&chosen, field);
  Setter(chosen, field, 0, rng).Set(strings);
}

}  // namespace quantry
