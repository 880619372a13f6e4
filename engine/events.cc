#include "engine/events.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <optional>
#include <utility>

#include "base/unique_fd.h"

namespace palyra::engine {
namespace {

Result<UniqueFd> OpenRing(const KernelObjects& objects, uint32_t index) {
  __u32 id = 0;
  if (bpf_map_lookup_elem(objects.fd(Table::kRings), &index, &id) == 0 && id != 0) {
    UniqueFd ring(bpf_map_get_fd_by_id(id));
    if (ring.valid()) return ring;
  }
  UniqueFd ring(bpf_map_create(BPF_MAP_TYPE_RINGBUF, "events", 0, 0, PALYRA_RING_BYTES, nullptr));
  if (!ring.valid()) return FailErrno(errno, "cannot make a ring buffer");
  const int fd = ring.get();
  if (bpf_map_update_elem(objects.fd(Table::kRings), &index, &fd, BPF_ANY) != 0) {
    return FailErrno(errno, "cannot add a ring buffer");
  }
  return ring;
}

Result<uint32_t> TakeIndex(const KernelObjects& objects, uint64_t run) {
  const palyra_ring_owner owner = {.run = run};
  for (uint32_t index = 0; index < PALYRA_MAX_RINGS; ++index) {
    if (bpf_map_update_elem(objects.fd(Table::kRingOwners), &index, &owner, BPF_NOEXIST) == 0) {
      return index;
    }
    if (errno != EEXIST) return FailErrno(errno, "cannot take a ring buffer");
  }
  return Fail(ErrorCode::kExhausted,
              "all " + std::to_string(PALYRA_MAX_RINGS) + " event rings are in use; end some runs");
}

// Nothing where it is none. Two kinds of events come through one ring: they differ in size.
std::optional<PathEvent> ParsePathEvent(const void* data, size_t size) {
  static_assert(sizeof(palyra_event) < sizeof(palyra_path_event));
  PathEvent parsed;
  if (size < sizeof(parsed.event)) return std::nullopt;
  std::memcpy(&parsed.event, data, sizeof(parsed.event));
  const auto* path = static_cast<const char*>(data) + sizeof(parsed.event);
  const size_t there = size - sizeof(parsed.event);
  parsed.path.assign(path, std::min<size_t>(parsed.event.path_length, there));
  // The field holds the last bytes, so a short path lies at its end.
  const size_t length = std::min<size_t>(parsed.event.executable_length, PALYRA_EXECUTABLE_LENGTH);
  parsed.executable.assign(parsed.event.executable + PALYRA_EXECUTABLE_LENGTH - length, length);
  return parsed;
}

}  // namespace

struct EventRing::Reader {
  uint64_t run;
  const Handler* handler = nullptr;
  const PathHandler* path_handler = nullptr;
  int left = 0;
  ring_buffer* ring = nullptr;

  ~Reader() { ring_buffer__free(ring); }

  // A negative answer stops libbpf's loop after this event; the event counts as read.
  static int OnEvent(void* context, void* data, size_t size) {
    auto* reader = static_cast<Reader*>(context);
    palyra_event event;
    if (const auto path_event = ParsePathEvent(data, size)) {
      const bool is_wanted = reader->path_handler != nullptr && *reader->path_handler;
      if (is_wanted && path_event->event.run == reader->run) (*reader->path_handler)(*path_event);
    } else if (size >= sizeof(event) && reader->handler != nullptr) {
      std::memcpy(&event, data, sizeof(event));
      if (event.run == reader->run) (*reader->handler)(event);
    }
    return --reader->left > 0 ? 0 : -ECANCELED;
  }
};

EventRing::EventRing(const KernelObjects& objects, uint32_t index, std::unique_ptr<Reader> reader)
    : objects_(&objects), index_(index), reader_(std::move(reader)) {}

EventRing::EventRing(EventRing&& other) noexcept
    : objects_(std::exchange(other.objects_, nullptr)),
      index_(other.index_),
      reader_(std::move(other.reader_)) {}

EventRing::~EventRing() {
  if (objects_ != nullptr) bpf_map_delete_elem(objects_->fd(Table::kRingOwners), &index_);
}

Result<EventRing> EventRing::Claim(const KernelObjects& objects, uint64_t run) {
  Result<uint32_t> index = TakeIndex(objects, run);
  if (!index) return std::unexpected(index.error());
  EventRing claimed(objects, *index, std::make_unique<Reader>(Reader{.run = run}));
  Result<UniqueFd> fd = OpenRing(objects, *index);
  if (!fd) return std::unexpected(fd.error());
  claimed.reader_->ring =
      ring_buffer__new(fd->get(), Reader::OnEvent, claimed.reader_.get(), nullptr);
  if (claimed.reader_->ring == nullptr) return FailErrno(errno, "cannot read a ring buffer");
  // What a run left there whose supervisor has died would take the room of this one's events.
  claimed.reader_->left = PALYRA_RING_BYTES;
  ring_buffer__consume(claimed.reader_->ring);
  return claimed;
}

int EventRing::epoll_fd() const { return ring_buffer__epoll_fd(reader_->ring); }

void EventRing::Drain(const Handler& handler, int most, const PathHandler& on_path) {
  reader_->handler = &handler;
  reader_->path_handler = &on_path;
  reader_->left = most;
  ring_buffer__consume(reader_->ring);
  reader_->handler = nullptr;
  reader_->path_handler = nullptr;
}

}  // namespace palyra::engine
