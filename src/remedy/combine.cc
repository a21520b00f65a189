#include "remedy/combine.h"

#include <algorithm>
#include <iterator>
#include <map>
#include <string>

namespace acceptq::remedy {

void combine_remedies(diagnose::Report& report) {
  struct Shared {
    std::vector<diagnose::Remedy> first;
    std::vector<diagnose::Remedy> last;
  };
  std::map<std::string, Shared> by_listener;
  for (const diagnose::Finding& finding : report.findings) {
    if (!finding.listener) continue;
    if (finding.id == "AQ201" || finding.id == "AQ205") {
      by_listener[*finding.listener].first = finding.remedies;
    } else if (finding.id == "AQ109") {
      by_listener[*finding.listener].last = finding.remedies;
    }
  }
  for (diagnose::Finding& finding : report.findings) {
    // Of those that have remedies, these are about something else.
    if (!finding.listener || !finding.id.starts_with("AQ1") || finding.id == "AQ109") continue;
    const auto shared = by_listener.find(*finding.listener);
    if (shared == by_listener.end()) continue;
    const auto& [first, last] = shared->second;
    finding.remedies.insert(finding.remedies.begin(), first.begin(), first.end());
    if (finding.id == "AQ101") std::ranges::copy(last, std::back_inserter(finding.remedies));
  }
}

}  // namespace acceptq::remedy
