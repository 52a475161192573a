#include "worker/engine/script/scan_pickle.h"

#include <algorithm>
#include <iterator>
#include <limits>
#include <optional>
#include <unordered_map>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/status_macros.h"

namespace quantry::engine {
namespace {

// A value on the stack: its place in the list of values, and whether it came from the memo.
struct Item {
  size_t id = 0;
  bool recalled = false;
};

// Small, because there may be as many as the pickle has bytes.
struct Made {
  int32_t depth = 0;
  uint32_t place = 0;  // of the opcode that made it
};

// Bytes of an element, by the global that stands for the type.
constexpr std::pair<absl::string_view, int64_t> kStorageTypes[] = {
    {"torch\nDoubleStorage\n", 8},       {"torch\nFloatStorage\n", 4},
    {"torch\nHalfStorage\n", 2},         {"torch\nBFloat16Storage\n", 2},
    {"torch\nLongStorage\n", 8},         {"torch\nIntStorage\n", 4},
    {"torch\nShortStorage\n", 2},        {"torch\nCharStorage\n", 1},
    {"torch\nByteStorage\n", 1},         {"torch\nBoolStorage\n", 1},
    {"torch\nComplexFloatStorage\n", 8}, {"torch\nComplexDoubleStorage\n", 16}};

// What a persistent id of TorchScript has: "storage", type, record, device, number of elements.
constexpr size_t kStorageParts = 5;

// The opcodes are those of Python's pickle protocol 2 (pickletools.py).
class PickleScanner {
 public:
  explicit PickleScanner(absl::string_view pickle) : pickle_(pickle), rest_(pickle) {}

  absl::StatusOr<PickleContent> Scan() {
    if (pickle_.size() >= std::numeric_limits<int32_t>::max()) return Bad("it is too large");
    for (;;) {
      place_ = static_cast<uint32_t>(pickle_.size() - rest_.size());
      QUANTRY_ASSIGN_OR_RETURN(const uint64_t op, Number(1));
      if (op == '.') return std::move(content_);
      QUANTRY_RETURN_IF_ERROR(Step(static_cast<unsigned char>(op)));
    }
  }

 private:
  static absl::Status Bad(absl::string_view what) {
    return absl::InvalidArgumentError(absl::StrCat("the pickle is not sound: ", what));
  }

  absl::Status Skip(uint64_t bytes) {
    if (bytes > rest_.size()) return Bad("it ends too early");
    rest_.remove_prefix(bytes);
    return absl::OkStatus();
  }

  absl::StatusOr<uint64_t> Number(size_t bytes) {
    if (bytes > rest_.size()) return Bad("it ends too early");
    uint64_t number = 0;
    for (size_t i = 0; i < bytes; ++i) {
      number |= uint64_t{static_cast<unsigned char>(rest_[i])} << (8 * i);
    }
    rest_.remove_prefix(bytes);
    return number;
  }

  // Skips bytes whose count stands in front of them.
  absl::Status SkipCounted(size_t bytes) {
    QUANTRY_ASSIGN_OR_RETURN(const uint64_t count, Number(bytes));
    return Skip(count);
  }

  absl::Status SkipLines(int count) {
    for (; count > 0; --count) {
      const size_t end = rest_.find('\n');
      if (end == absl::string_view::npos) return Bad("it ends too early");
      rest_.remove_prefix(end + 1);
    }
    return absl::OkStatus();
  }

  absl::Status Push(int64_t depth) {
    stack_.push_back({values_.size(), false});
    values_.push_back({static_cast<int32_t>(depth), place_});
    content_.depth = std::max(content_.depth, depth);
    return absl::OkStatus();
  }

  absl::Status PushAfter(absl::Status skipped) {
    QUANTRY_RETURN_IF_ERROR(skipped);
    return Push(0);
  }

  // The depth of the deepest of the last `count` values, which go; below 0 for none.
  absl::StatusOr<int64_t> Pop(size_t count) {
    const size_t floor = marks_.empty() ? 0 : marks_.back();
    if (stack_.size() < floor + count) return Bad("its stack is empty");
    int64_t depth = -1;
    for (; count > 0; --count) {
      depth = std::max<int64_t>(depth, values_[stack_.back().id].depth);
      stack_.pop_back();
    }
    return depth;
  }

  absl::StatusOr<int64_t> PopToMark() {
    if (marks_.empty()) return Bad("a mark is missing");
    const size_t count = stack_.size() - marks_.back();
    QUANTRY_ASSIGN_OR_RETURN(const int64_t depth, Pop(count));
    marks_.pop_back();
    return depth;
  }

  absl::Status Wrap(absl::StatusOr<int64_t> depth) {
    QUANTRY_RETURN_IF_ERROR(depth.status());
    return Push(*depth + 1);
  }

  // Puts values of this depth into the last value.
  absl::Status Insert(absl::StatusOr<int64_t> depth) {
    QUANTRY_RETURN_IF_ERROR(depth.status());
    if (stack_.empty()) return Bad("its stack is empty");
    if (stack_.back().recalled) return Bad("a container is changed after it was used");
    int32_t& whole = values_[stack_.back().id].depth;
    whole = std::max(whole, static_cast<int32_t>(*depth + 1));
    content_.depth = std::max<int64_t>(content_.depth, whole);
    return absl::OkStatus();
  }

  absl::Status Memorise(size_t bytes) {
    QUANTRY_ASSIGN_OR_RETURN(const uint64_t key, Number(bytes));
    if (stack_.empty()) return Bad("its stack is empty");
    memo_[key] = stack_.back().id;
    return absl::OkStatus();
  }

  absl::Status Recall(size_t bytes) {
    QUANTRY_ASSIGN_OR_RETURN(const uint64_t key, Number(bytes));
    const auto found = memo_.find(key);
    if (found == memo_.end()) return Bad("it recalls what it never stored");
    stack_.push_back({found->second, true});
    return absl::OkStatus();
  }

  absl::Status WrapTuple() {
    last_parts_.clear();
    if (!marks_.empty() && stack_.size() == marks_.back() + kStorageParts) {
      for (size_t i = marks_.back(); i < stack_.size(); ++i) last_parts_.push_back(stack_[i].id);
    }
    last_tuple_ = values_.size();
    return Wrap(PopToMark());
  }

  // The literals that made a value; empty if something else did. Strings: without their length;
  // globals: the two lines.
  std::optional<absl::string_view> TextOf(size_t id, absl::string_view ops) const;
  std::optional<int64_t> NumberOf(size_t id) const;

  // The last tuple stands for a tensor's memory.
  absl::Status TakeStorage();

  absl::Status Step(unsigned char op);

  const absl::string_view pickle_;
  absl::string_view rest_;
  uint32_t place_ = 0;  // of the opcode at work
  std::vector<Made> values_;
  std::vector<Item> stack_;
  std::vector<size_t> marks_;  // sizes of the stack
  std::unordered_map<uint64_t, size_t> memo_;
  size_t last_tuple_ = 0;
  std::vector<size_t> last_parts_;  // of the last tuple, if they can be those of a storage
  PickleContent content_;
};

std::optional<absl::string_view> PickleScanner::TextOf(size_t id, absl::string_view ops) const {
  absl::string_view from = pickle_.substr(values_[id].place);
  const char op = from[0];
  from.remove_prefix(1);
  if (ops.find(op) == absl::string_view::npos) return std::nullopt;
  if (op == 'c') {
    const size_t first = from.find('\n');
    return from.substr(0, from.find('\n', first + 1) + 1);
  }
  PickleScanner length(from);
  const size_t bytes = op == 'U' ? 1 : 4;
  return from.substr(bytes, length.Number(bytes).value_or(0));
}

std::optional<int64_t> PickleScanner::NumberOf(size_t id) const {
  absl::string_view from = pickle_.substr(values_[id].place);
  const auto op = static_cast<unsigned char>(from[0]);
  from.remove_prefix(1);
  PickleScanner number(from);
  if (op == 'K') return number.Number(1).value_or(0);
  if (op == 'M') return number.Number(2).value_or(0);
  if (op == 'J') return static_cast<int32_t>(number.Number(4).value_or(0));
  if (op == 0x8a && from[0] == 8) {
    from.remove_prefix(1);
    return static_cast<int64_t>(PickleScanner(from).Number(8).value_or(0));
  }
  return std::nullopt;
}

absl::Status PickleScanner::TakeStorage() {
  if (stack_.empty() || stack_.back().id != last_tuple_ || last_parts_.size() != kStorageParts) {
    return Bad("a storage is not described in place");
  }
  const auto type = TextOf(last_parts_[1], "c");
  const auto* known = std::find_if(std::begin(kStorageTypes), std::end(kStorageTypes),
                                   [&](const auto& row) { return row.first == type; });
  const auto record = TextOf(last_parts_[2], "XTU");
  const auto count = NumberOf(last_parts_[4]);
  int64_t bytes = 0;
  const bool sound = known != std::end(kStorageTypes) && record && count && *count >= 0 &&
                     !__builtin_mul_overflow(*count, known->second, &bytes);
  if (!sound) return Bad("a storage has no known type, record and size");
  content_.storages.push_back({.record = std::string(*record), .bytes = bytes});
  return absl::OkStatus();
}

absl::Status PickleScanner::Step(unsigned char op) {
  switch (op) {
    case 0x80:
      return Skip(1);  // PROTO
    case 'N':
    case 0x88:
    case 0x89:
      return Push(0);  // NONE, NEWTRUE, NEWFALSE
    case 'K':
      return PushAfter(Skip(1));  // BININT1
    case 'M':
      return PushAfter(Skip(2));  // BININT2
    case 'J':
      return PushAfter(Skip(4));  // BININT
    case 'G':
      return PushAfter(Skip(8));  // BINFLOAT
    case 0x8a:
    case 'U':
      return PushAfter(SkipCounted(1));  // LONG1, SHORT_BINSTRING
    case 'X':
    case 'T':
      return PushAfter(SkipCounted(4));  // BINUNICODE, BINSTRING
    case 'c':
      return PushAfter(SkipLines(2));  // GLOBAL
    case ']':
    case '}':
    case ')':
      return Push(1);  // EMPTY_LIST, EMPTY_DICT, EMPTY_TUPLE
    case '(':
      marks_.push_back(stack_.size());
      return absl::OkStatus();  // MARK
    case 't':
      return WrapTuple();  // TUPLE
    case 'l':
    case 'd':
      return Wrap(PopToMark());  // LIST, DICT
    case 'Q':
      QUANTRY_RETURN_IF_ERROR(TakeStorage());
      return Wrap(Pop(1));  // BINPERSID
    case 0x85:
      return Wrap(Pop(1));  // TUPLE1
    case 0x86:
    case 'R':
    case 0x81:
      return Wrap(Pop(2));  // TUPLE2, REDUCE, NEWOBJ
    case 0x87:
      return Wrap(Pop(3));  // TUPLE3
    case 'a':
    case 'b':
      return Insert(Pop(1));  // APPEND, BUILD
    case 's':
      return Insert(Pop(2));  // SETITEM
    case 'e':
    case 'u':
      return Insert(PopToMark());  // APPENDS, SETITEMS
    case '0':
      return Pop(1).status();  // POP
    case 'q':
      return Memorise(1);  // BINPUT
    case 'r':
      return Memorise(4);  // LONG_BINPUT
    case 'h':
      return Recall(1);  // BINGET
    case 'j':
      return Recall(4);  // LONG_BINGET
    default:
      return Bad(absl::StrCat("opcode ", int{op}, " is not one of TorchScript's"));
  }
}

}  // namespace

absl::StatusOr<PickleContent> ScanPickle(absl::string_view pickle) {
  return PickleScanner(pickle).Scan();
}

}  // namespace quantry::engine
