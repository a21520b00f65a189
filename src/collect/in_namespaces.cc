#include "collect/in_namespaces.h"

#include <utility>
#include <vector>

#include "collect/netns/enter.h"

namespace acceptq::collect {

void in_namespaces(const Scanner& scanner, const std::set<NetnsId>& namespaces,
                   const std::function<void(NetnsId)>& work) {
  std::vector<netns::Handle> handles;
  for (const NetnsId id : namespaces) {
    if (auto handle = scanner.entrance(id)) handles.push_back(std::move(*handle));
  }
  netns::for_each_namespace(handles, 1, [&](std::size_t index, const Status& entered) {
    if (entered) work(handles[index].id);
  });
}

}  // namespace acceptq::collect
