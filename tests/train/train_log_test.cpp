// SPDX-License-Identifier: Apache-2.0
#include "train/train_log.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "support/fails_with.h"
#include "support/temporary_directory.h"

namespace tern {
namespace {

using testing::fails_with;
using testing::TemporaryDirectory;

StepReport report(int64_t step) {
  StepReport r;
  r.step = step;
  r.steps = 9;
  r.loss = 1.0 / 3;
  return r;
}

std::string lines(int64_t last) {
  std::string out;
  for (int64_t step = 1; step <= last; ++step) out += to_json(report(step)) + "\n";
  return out;
}

TEST(TrainLog, WritesALinePerStep) {
  const TemporaryDirectory directory;
  TrainLog log(directory.file("log.jsonl"), 0);
  for (int64_t step = 1; step <= 3; ++step) {
    log.append(report(step));
    EXPECT_EQ(directory.read("log.jsonl"), lines(step));  // at once, without closing
    EXPECT_EQ(log.last_step(), step);
  }
}

TEST(TrainLog, CutsBackToAStep) {
  const TemporaryDirectory directory;
  for (const int64_t last : {0, 1, 3, 5}) {
    directory.write("log.jsonl", lines(5));
    TrainLog log(directory.file("log.jsonl"), last);
    EXPECT_EQ(log.last_step(), last);
    EXPECT_EQ(directory.read("log.jsonl"), lines(last));
    log.append(report(last + 1));
    EXPECT_EQ(directory.read("log.jsonl"), lines(last + 1));
  }
}

TEST(TrainLog, DropsWhatIsNotALine) {
  const TemporaryDirectory directory;
  const std::string next = to_json(report(3));
  for (const std::string& tail :
       {next, next.substr(0, 9), next.substr(0, 9) + "\n", std::string("\n"), std::string("[]\n"),
        std::string("{\"step\": \"3\"}\n"), std::string("{\"step\": 0}\n")}) {
    directory.write("log.jsonl", lines(2) + tail);
    const TrainLog log(directory.file("log.jsonl"), 5);
    EXPECT_EQ(log.last_step(), 2);
    EXPECT_EQ(directory.read("log.jsonl"), lines(2)) << tail;
  }
}

TEST(TrainLog, ReportsTheFieldsByName) {
  StepReport r = report(4);
  EXPECT_FALSE(nlohmann::json::parse(to_json(r)).contains("validation_loss"));
  r.has_validation = true;
  r.validation_loss = 2.5;
  const auto line = nlohmann::json::parse(to_json(r));
  EXPECT_EQ(line["step"], 4);
  EXPECT_EQ(line["loss"].get<double>(), 1.0 / 3);
  EXPECT_EQ(line["validation_loss"], 2.5);
  EXPECT_EQ(to_json(r).find('\n'), std::string::npos);
}

TEST(TrainLog, NamesAPathItCannotWrite) {
  EXPECT_TRUE(fails_with("/no/such/log.jsonl", [] { TrainLog("/no/such/log.jsonl", 0); }));
}

}  // namespace
}  // namespace tern
