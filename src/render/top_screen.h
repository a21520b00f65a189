// The live view as lines of text, never wider or longer than the terminal. Pure.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "diagnose/report.h"
#include "facts/ledger.h"
#include "facts/snapshot.h"
#include "render/term.h"
#include "render/top_rows.h"

namespace acceptq::render {

// What the user has chosen.
struct TopState {
  enum class View { kList, kListener, kHelp };
  View view = View::kList;
  TopChoice choice;
  bool typing_filter = false;
  bool paused = false;
  std::string selected;    // a listener's key; empty: the first row
  std::size_t scroll = 0;  // of the listener's page
};

// What there is to show.
struct TopFrame {
  facts::Observation observation;
  diagnose::Report report;
  std::vector<facts::Ledger> totals;  // since the live view began
};

// `rows` of the terminal; 0: as many as are needed, for output that is no terminal.
[[nodiscard]] std::string top_screen(const TermStyle& style, std::size_t rows,
                                     const TopFrame& frame, const TopHistory& history,
                                     const TopState& state);

}  // namespace acceptq::render
