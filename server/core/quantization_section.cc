#include <cmath>
#include <string>

#include "absl/strings/str_cat.h"
#include "common/quant_config.h"
#include "server/core/spec_sections.h"

namespace quantry::server {
namespace {

void CheckPact(const v1::PactOptions& pact, Violations& violations) {
  if (pact.has_alpha()) {
    violations.Require(std::isfinite(pact.alpha()) && pact.alpha() > 0, "spec.pact.alpha",
                       pact.alpha(), "larger than 0");
  }
  if (pact.has_learning_rate_factor()) {
    violations.Require(
        std::isfinite(pact.learning_rate_factor()) && pact.learning_rate_factor() > 0,
        "spec.pact.learning_rate_factor", pact.learning_rate_factor(), "larger than 0");
  }
  if (pact.has_weight_decay()) {
    violations.Require(std::isfinite(pact.weight_decay()) && pact.weight_decay() >= 0,
                       "spec.pact.weight_decay", pact.weight_decay(), "0 or more");
  }
}

bool UsesPact(const QuantConfig& config) {
  return config.weight_preprocess_type == "PACT" || config.activation_preprocess_type == "PACT";
}

bool HasPactOption(const v1::PactOptions& pact) {
  return pact.has_alpha() || pact.has_learning_rate_factor() || pact.has_weight_decay();
}

}  // namespace

void CheckQuantization(const v1::JobSpec& spec, Violations& violations) {
  CheckPact(spec.pact(), violations);
  const std::string pact_hint =
      "has no effect unless quant_config sets weight_preprocess_type or activation_preprocess_type "
      "to \"PACT\"; leave it out";
  if (spec.mode() == v1::MODE_FLOAT || spec.mode() == v1::MODE_EVALUATE) {
    if (!spec.quant_config().empty()) {
      violations.Add(
          "spec.quant_config",
          absl::StrCat("has no effect in ", v1::Mode_Name(spec.mode()), "; leave it out"));
    }
    if (HasPactOption(spec.pact())) violations.Add("spec.pact", pact_hint);
    return;
  }
  const absl::StatusOr<QuantConfig> config = ParseQuantConfig(spec.quant_config());
  if (!config.ok()) {
    violations.Add("spec.quant_config", config.status().message());
    return;
  }
  if (!UsesPact(*config) && HasPactOption(spec.pact())) violations.Add("spec.pact", pact_hint);
  if (config->pact_setting && HasPactOption(spec.pact())) {
    violations.Add("spec.pact", absl::StrCat("must be left out: quant_config.pact_setting \"",
                                             *config->pact_setting, "\" says the same"));
  }
}

}  // namespace quantry::server
