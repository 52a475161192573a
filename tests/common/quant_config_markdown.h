#ifndef QUANTRY_TESTS_COMMON_QUANT_CONFIG_MARKDOWN_H_
#define QUANTRY_TESTS_COMMON_QUANT_CONFIG_MARKDOWN_H_

#include <string>

namespace quantry {

// The part of docs/quant_config.md that the table of keys gives: every key with its meaning,
// default, range and effect, in the words of `quantry explain`.
std::string QuantConfigMarkdown();

}  // namespace quantry

#endif  // QUANTRY_TESTS_COMMON_QUANT_CONFIG_MARKDOWN_H_
