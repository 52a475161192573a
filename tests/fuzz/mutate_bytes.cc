#include "tests/fuzz/mutate_bytes.h"

#include <algorithm>

namespace quantry {

std::string MutateBytes(std::string content, FuzzRng& rng) {
  const uint64_t changes = 1 + rng.Below(4);
  for (uint64_t k = 0; k < changes && !content.empty(); ++k) {
    const size_t place = rng.Below(content.size());
    const size_t length = 1 + rng.Below(std::min<size_t>(content.size() - place, 200));
    switch (rng.Below(7)) {
      case 0:
        content[place] = static_cast<char>(content[place] ^ (1 << rng.Below(8)));
        break;
      case 1:
        content[place] = static_cast<char>(rng.OneIn(2) ? 0xff : 0x00);
        break;
      case 2:
        content[place] = static_cast<char>(rng.Below(256));
        break;
      case 3:
        content.erase(place, length);
        break;
      case 4:
        content.insert(place, content.substr(place, length));
        break;
      case 5:
        content.insert(rng.Below(content.size() + 1), content.substr(place, length));
        break;
      default:
        if (rng.OneIn(3)) content.resize(place);
        break;
    }
  }
  return content;
}

}  // namespace quantry
