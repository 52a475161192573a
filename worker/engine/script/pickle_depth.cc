#include "worker/engine/script/pickle_depth.h"

#include <algorithm>
#include <unordered_map>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/status_macros.h"

namespace quantry::engine {
namespace {

// A value on the stack: its place in the list of depths, and whether it came from the memo.
struct Item {
  size_t id = 0;
  bool recalled = false;
};

// The opcodes are those of Python's pickle protocol 2 (pickletools.py).
class DepthScanner {
 public:
  explicit DepthScanner(absl::string_view pickle) : rest_(pickle) {}

  absl::StatusOr<int64_t> Scan() {
    for (;;) {
      QUANTRY_ASSIGN_OR_RETURN(const uint64_t op, Number(1));
      if (op == '.') return deepest_;
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
    stack_.push_back({depths_.size(), false});
    depths_.push_back(depth);
    deepest_ = std::max(deepest_, depth);
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
      depth = std::max(depth, depths_[stack_.back().id]);
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
    int64_t& whole = depths_[stack_.back().id];
    whole = std::max(whole, *depth + 1);
    deepest_ = std::max(deepest_, whole);
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

  absl::Status Step(unsigned char op);

  absl::string_view rest_;
  std::vector<int64_t> depths_;
  std::vector<Item> stack_;
  std::vector<size_t> marks_;  // sizes of the stack
  std::unordered_map<uint64_t, size_t> memo_;
  int64_t deepest_ = 0;
};

absl::Status DepthScanner::Step(unsigned char op) {
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
    case 'l':
    case 'd':
      return Wrap(PopToMark());  // TUPLE, LIST, DICT
    case 0x85:
    case 'Q':
      return Wrap(Pop(1));  // TUPLE1, BINPERSID
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

absl::StatusOr<int64_t> PickleDepth(absl::string_view pickle) {
  return DepthScanner(pickle).Scan();
}

}  // namespace quantry::engine
