#include "cli/top_keys.h"

#include <algorithm>

namespace acceptq::cli {
namespace {

using render::TopState;
using View = render::TopState::View;

// How far a key moves; 0 for a key that does not.
long steps(const Key& key, std::size_t page) {
  const auto far = static_cast<long>(page);
  constexpr long kEverything = 1L << 30;
  switch (key.kind) {
    case KeyKind::kUp:
      return -1;
    case KeyKind::kDown:
      return 1;
    case KeyKind::kPageUp:
      return -far;
    case KeyKind::kPageDown:
      return far;
    case KeyKind::kHome:
      return -kEverything;
    case KeyKind::kEnd:
      return kEverything;
    case KeyKind::kText:
      return key.text == 'k' ? -1 : key.text == 'j' ? 1 : 0;
    default:
      return 0;
  }
}

void move_selection(long by, const std::vector<std::string>& shown, TopState& state) {
  if (shown.empty()) return;
  const auto found = std::ranges::find(shown, state.selected);
  const long at = found != shown.end() ? found - shown.begin() : 0;
  const long last = static_cast<long>(shown.size()) - 1;
  state.selected = shown[static_cast<std::size_t>(std::clamp(at + by, 0L, last))];
}

void type_filter(const Key& key, TopState& state) {
  std::string& filter = state.choice.filter;
  if (key.kind == KeyKind::kText) {
    filter += key.text;
  } else if (key.kind == KeyKind::kErase) {
    if (!filter.empty()) filter.pop_back();
  } else if (key.kind == KeyKind::kEnter) {
    state.typing_filter = false;
  } else if (key.kind == KeyKind::kEscape) {
    filter.clear();
    state.typing_filter = false;
  }
}

// The letters of the list.
bool press_letter(char letter, TopState& state) {
  switch (letter) {
    case 'q':
      return false;
    case 's':
    case 'S':
      state.choice.sort = render::next_sort(state.choice.sort, letter == 's' ? 1 : -1);
      break;
    case '/':
      state.typing_filter = true;
      state.choice.filter.clear();
      break;
    case 'a':
      state.choice.busy_only = !state.choice.busy_only;
      break;
    default:
      break;
  }
  return true;
}

}  // namespace

bool press(const Key& key, const std::vector<std::string>& shown, std::size_t page,
           TopState& state) {
  if (state.typing_filter) {
    type_filter(key, state);
    return true;
  }
  const long by = steps(key, page);
  const bool is_letter = key.kind == KeyKind::kText;
  if (is_letter && (key.text == 'h' || key.text == '?')) {
    state.view = state.view == View::kHelp ? View::kList : View::kHelp;
    return true;
  }
  if (is_letter && (key.text == 'p' || key.text == ' ')) {
    state.paused = !state.paused;
    return true;
  }
  if (state.view != View::kList) {
    if (key.kind == KeyKind::kEscape || (is_letter && key.text == 'q')) state.view = View::kList;
    constexpr long kLongestPage = 10'000;
    state.scroll = static_cast<std::size_t>(
        std::clamp(static_cast<long>(state.scroll) + by, 0L, kLongestPage));
    return true;
  }
  if (by != 0) {
    move_selection(by, shown, state);
  } else if (key.kind == KeyKind::kEnter && !shown.empty()) {
    move_selection(0, shown, state);
    state.view = View::kListener;
    state.scroll = 0;
  } else if (key.kind == KeyKind::kEscape) {
    state.choice.filter.clear();
  } else if (is_letter) {
    return press_letter(key.text, state);
  }
  return true;
}

}  // namespace acceptq::cli
