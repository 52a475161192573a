#include "server/store/postgres_listener.h"

#include <libpq-fe.h>
#include <poll.h>
#include <spdlog/spdlog.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/files.h"
#include "common/status_macros.h"

namespace quantry::server {
namespace {

constexpr int kForever = -1;
constexpr int kReconnectMs = 1000;

absl::Status Listen(PostgresConnection& connection) {
  return connection.Execute(absl::StrCat("LISTEN ", PostgresConnection::kChannel));
}

}  // namespace

absl::StatusOr<std::unique_ptr<PostgresListener>> PostgresListener::Start(const std::string& url,
                                                                          OnMessage on_message,
                                                                          OnGap on_gap) {
  QUANTRY_ASSIGN_OR_RETURN(auto connection, PostgresConnection::Open(url));
  QUANTRY_RETURN_IF_ERROR(Listen(*connection));
  const int stop_fd = eventfd(0, EFD_CLOEXEC);
  if (stop_fd < 0) return ErrnoToStatus(errno, "cannot make an eventfd");
  return std::unique_ptr<PostgresListener>(new PostgresListener(
      std::move(connection), stop_fd, std::move(on_message), std::move(on_gap)));
}

PostgresListener::PostgresListener(std::unique_ptr<PostgresConnection> connection, int stop_fd,
                                   OnMessage on_message, OnGap on_gap)
    : connection_(std::move(connection)),
      stop_fd_(stop_fd),
      on_message_(std::move(on_message)),
      on_gap_(std::move(on_gap)),
      thread_([this] { Run(); }) {}

PostgresListener::~PostgresListener() {
  eventfd_write(stop_fd_, 1);
  thread_.join();
  close(stop_fd_);
}

bool PostgresListener::Wait(int fd, int timeout_ms) {
  pollfd waited[] = {{.fd = stop_fd_, .events = POLLIN, .revents = 0},
                     {.fd = fd, .events = POLLIN, .revents = 0}};
  poll(waited, fd < 0 ? 1 : 2, timeout_ms);
  return waited[0].revents == 0;
}

bool PostgresListener::TakeMessages() {
  PGconn* const handle = connection_->handle();
  if (PQconsumeInput(handle) == 0) return false;
  while (PGnotify* message = PQnotifies(handle)) {
    on_message_(message->extra);
    PQfreemem(message);
  }
  return !connection_->IsLost();
}

void PostgresListener::Run() {
  while (Wait(PQsocket(connection_->handle()), kForever)) {
    if (TakeMessages()) continue;
    spdlog::warn("database connection lost; listening again as soon as it is back");
    while (true) {
      absl::Status status = connection_->Reconnect();
      if (status.ok()) status = Listen(*connection_);
      if (status.ok()) break;
      if (!Wait(-1, kReconnectMs)) return;
    }
    on_gap_();
  }
}

}  // namespace quantry::server
