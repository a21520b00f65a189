// The fields of disks, for facts/json_fields.h. Private to facts.
#pragma once

#include "facts/disks.h"

namespace acceptq::facts {

inline void fields(auto& archive, DiskMount& mount) {
  archive("device", mount.device);
  archive("mountpoint", mount.mountpoint);
}

inline void fields(auto& archive, Disk& disk) {
  archive("name", disk.name);
  archive("device", disk.device);
  archive("mapper", disk.mapper);
  archive("mounts", disk.mounts);
  archive("beneath", disk.beneath);
  archive("in_flight", disk.in_flight);
  archive("watched_ms", disk.watched_ms);
  archive("reads", disk.reads);
  archive("read_ms", disk.read_ms);
  archive("writes", disk.writes);
  archive("write_ms", disk.write_ms);
  archive("busy_ms", disk.busy_ms);
}

inline void fields(auto& archive, HungTasks& tasks) {
  archive("total", tasks.total);
  archive("more", tasks.more);
}

}  // namespace acceptq::facts
