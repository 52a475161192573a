#include "tests/fuzz/mutate_json.h"

#include <cmath>
#include <iterator>
#include <nlohmann/json.hpp>

#include "tests/fuzz/mutate_bytes.h"

namespace quantry {
namespace {

using Json = nlohmann::json;

void Collect(Json& value, std::vector<Json*>& all) {
  all.push_back(&value);
  if (!value.is_structured()) return;
  for (auto& inner : value) Collect(inner, all);
}

Json Nested(uint64_t depth, bool objects) {
  Json value = 1;
  for (uint64_t i = 0; i < depth; ++i) value = objects ? Json{{"a", value}} : Json::array({value});
  return value;
}

Json Hostile(const std::vector<std::string>& words, FuzzRng& rng) {
  switch (rng.Below(10)) {
    case 0:
      return nullptr;
    case 1:
      return rng.OneIn(2);
    case 2:
      return rng.HostileInt();
    case 3: {
      const double number = rng.HostileDouble();
      return std::isfinite(number) ? number : 1e308;
    }
    case 4:
      return std::string(rng.Below(3000), 'x');
    case 5:
      return Json::array();
    case 6:
      return Json::object();
    case 7:
      return Nested(1 + rng.Below(rng.OneIn(10) ? 3000 : 20), rng.OneIn(2));
    default:
      return rng.Pick(words);
  }
}

void Change(Json& value, const std::vector<std::string>& words, FuzzRng& rng) {
  const bool empty = !value.is_structured() || value.empty();
  if (value.is_structured() && rng.OneIn(2)) {
    if (!empty && rng.OneIn(2)) {
      value.erase(std::next(value.begin(), static_cast<int>(rng.Below(value.size()))));
    } else if (value.is_object()) {
      value[rng.Pick(words)] = Hostile(words, rng);
    } else {
      value.push_back(empty || rng.OneIn(2) ? Hostile(words, rng) : Json(value[0]));
    }
    return;
  }
  if (value.is_number() && rng.OneIn(2)) {
    value = value.get<double>() * (rng.OneIn(2) ? -1.0 : 1.5) + (rng.OneIn(2) ? 1.0 : 0.0);
  } else {
    value = Hostile(words, rng);
  }
}

}  // namespace

std::string MutateJson(const std::string& text, const std::vector<std::string>& words,
                       FuzzRng& rng) {
  Json json = Json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (json.is_discarded() || rng.OneIn(6)) return MutateBytes(text, rng);
  const uint64_t changes = 1 + rng.Below(3);
  for (uint64_t i = 0; i < changes; ++i) {
    std::vector<Json*> all;
    Collect(json, all);
    Change(*rng.Pick(all), words, rng);
  }
  std::string changed = json.dump(-1, ' ', false, Json::error_handler_t::replace);
  return rng.OneIn(10) ? MutateBytes(std::move(changed), rng) : changed;
}

}  // namespace quantry
