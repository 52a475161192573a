#include "worker/trainer/event_sink.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <csignal>
#include <sstream>
#include <string>

#include "common/delimited.h"

namespace quantry::trainer {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

TEST(PipeEventSinkTest, MessagesComeOutAsTheyWentIn) {
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  PipeEventSink sink(ends[1]);
  SendLog(sink, v1::LogLine::WARNING, "first");
  SendLog(sink, v1::LogLine::INFO, std::string(10000, 'x'));
  close(ends[1]);
  std::string bytes;
  char buffer[4096];
  for (ssize_t n; (n = read(ends[0], buffer, sizeof(buffer))) > 0;) {
    bytes.append(buffer, static_cast<size_t>(n));
  }
  close(ends[0]);
  DelimitedParser parser;
  parser.Feed(bytes);
  v1::TrainerEvent event;
  ASSERT_TRUE(event.ParseFromString(**parser.Next()));
  EXPECT_EQ(event.log().level(), v1::LogLine::WARNING);
  EXPECT_EQ(event.log().message(), "first");
  ASSERT_TRUE(event.ParseFromString(**parser.Next()));
  EXPECT_EQ(event.log().message().size(), 8192u);
  EXPECT_FALSE(parser.HasPartial());
  EXPECT_FALSE(sink.broken());
}

TEST(PipeEventSinkTest, NoticesThatNobodyReads) {
  std::signal(SIGPIPE, SIG_IGN);
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  close(ends[0]);
  PipeEventSink sink(ends[1]);
  SendLog(sink, v1::LogLine::INFO, "lost");
  EXPECT_TRUE(sink.broken());
  close(ends[1]);
}

TEST(PipeEventSinkTest, NamesInAnyEncodingArriveAsUtf8) {
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  PipeEventSink sink(ends[1]);
  v1::TrainerEvent event;
  v1::LayerQuantization& layer = *event.mutable_result()->add_layers();
  layer.set_layer("caf\xe9");
  layer.set_op_type("Conv");
  sink.Send(event);
  close(ends[1]);
  std::string bytes(4096, '\0');
  bytes.resize(static_cast<size_t>(read(ends[0], bytes.data(), bytes.size())));
  close(ends[0]);
  v1::TrainerEvent received;
  ASSERT_LT(static_cast<unsigned char>(bytes[0]), 0x80);  // one length byte
  ASSERT_TRUE(received.ParseFromString(bytes.substr(1)));
  EXPECT_EQ(received.result().layers(0).layer(), "caf?");
  EXPECT_EQ(received.result().layers(0).op_type(), "Conv");
}

TEST(TextEventSinkTest, ALinePerEvent) {
  std::ostringstream out;
  TextEventSink sink(out);
  v1::TrainerEvent event;
  v1::Progress& progress = *event.mutable_progress();
  progress.set_phase(v1::PHASE_TRAINING);
  progress.set_epoch(2);
  progress.set_epochs(5);
  progress.set_step(7);
  progress.set_steps(20);
  progress.set_loss(1.25);
  sink.Send(event);
  EXPECT_THAT(out.str(), AllOf(HasSubstr("training"), HasSubstr("epoch 2/5"),
                               HasSubstr("step 7/20"), HasSubstr("loss 1.2500")));
  EXPECT_EQ(out.str().back(), '\n');
}

}  // namespace
}  // namespace quantry::trainer
