#ifndef QUANTRY_WORKER_TRAINER_HTML_REPORT_PAGE_H_
#define QUANTRY_WORKER_TRAINER_HTML_REPORT_PAGE_H_

#include <string>

#include "nlohmann/json.hpp"

namespace quantry::trainer {

// report.json as one HTML page for people: no scripts, nothing fetched from elsewhere, for light
// and dark screens and for paper. Sections for which the report has nothing are left out; a report
// that lacks keys or has others is no error. All names in it are escaped.
std::string ReportPage(const nlohmann::json& report);

}  // namespace quantry::trainer

#endif  // QUANTRY_WORKER_TRAINER_HTML_REPORT_PAGE_H_
