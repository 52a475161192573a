#ifndef QUANTRY_SERVER_STORE_POSTGRES_LISTENER_H_
#define QUANTRY_SERVER_STORE_POSTGRES_LISTENER_H_

#include <functional>
#include <memory>
#include <string>
#include <thread>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "server/store/postgres_connection.h"

namespace quantry::server {

// Hears what PostgresConnection::Notify says, on a connection and a thread of its own. Messages
// sent while the connection is lost are lost, too: `on_gap` says so, once it is back. Thread-safe.
class PostgresListener {
 public:
  using OnMessage = std::function<void(const std::string& payload)>;
  using OnGap = std::function<void()>;

  // Listens until the object's end; the functions are called from its thread.
  static absl::StatusOr<std::unique_ptr<PostgresListener>> Start(const std::string& url,
                                                                 OnMessage on_message,
                                                                 OnGap on_gap);
  ~PostgresListener();

 private:
  PostgresListener(std::unique_ptr<PostgresConnection> connection, int stop_fd,
                   OnMessage on_message, OnGap on_gap);

  void Run();
  // False: the connection is lost.
  bool TakeMessages();
  // Waits for a message, or `timeout_ms`. False: stop.
  bool Wait(int fd, int timeout_ms);

  const std::unique_ptr<PostgresConnection> connection_;  // used by the thread only
  const int stop_fd_;                                     // an eventfd
  const OnMessage on_message_;
  const OnGap on_gap_;
  std::thread thread_;
};

}  // namespace quantry::server

#endif  // QUANTRY_SERVER_STORE_POSTGRES_LISTENER_H_
