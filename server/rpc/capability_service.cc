#include "server/rpc/capability_service.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "common/dataset_schemes.h"
#include "common/quant_config.h"
#include "server/core/catalog.h"
#include "server/core/job_id.h"

namespace quantry::server {
namespace {

void Fill(absl::Span<const absl::string_view> names,
          google::protobuf::RepeatedPtrField<std::string>& field) {
  for (const absl::string_view name : names) *field.Add() = std::string(name);
}

}  // namespace

grpc::Status CapabilityService::GetCapabilities(grpc::ServerContext* context,
                                                const v1::GetCapabilitiesRequest* request,
                                                v1::Capabilities* response) {
  return gate_.Unary(
      context, "CapabilityService/GetCapabilities", *request, response,
      [&](const Principal&) -> absl::StatusOr<v1::Capabilities> { return Describe(); });
}

v1::Capabilities CapabilityService::Describe() const {
  v1::Capabilities capabilities;
  capabilities.set_version(QUANTRY_VERSION);
  Fill(JobModes(), *capabilities.mutable_modes());
  Fill(BuiltinModels(), *capabilities.mutable_builtin_models());
  Fill(OnnxOperators(), *capabilities.mutable_operators());
  Fill(SupportedWeightQuantizers(), *capabilities.mutable_weight_quantizers());
  Fill(SupportedActivationQuantizers(), *capabilities.mutable_activation_quantizers());
  Fill(SupportedPreprocessors(), *capabilities.mutable_preprocessors());
  Fill(SupportedProfiles(), *capabilities.mutable_profiles());
  Fill(SupportedLayerTypes(), *capabilities.mutable_layer_types());
  Fill(SupportedWeightDtypes(), *capabilities.mutable_weight_dtypes());
  Fill(SupportedActivationDtypes(), *capabilities.mutable_activation_dtypes());
  Fill(SupportedCalibrators(), *capabilities.mutable_calibrators());
  Fill(SupportedPactSettings(), *capabilities.mutable_pact_settings());
  Fill(DatasetSchemeNames(), *capabilities.mutable_dataset_schemes());
  capabilities.set_min_bits(kMinQuantBits);
  capabilities.set_max_bits(kMaxQuantBits);
  capabilities.set_max_upload_bytes(max_upload_bytes_);
  capabilities.set_max_device_count(kMaxDeviceCount);
  AddWorkers(capabilities);
  return capabilities;
}

void CapabilityService::AddWorkers(v1::Capabilities& capabilities) const {
  for (const WorkerTable::Entry& entry : state_.workers.All(state_.clock.Monotonic())) {
    v1::WorkerSummary& summary = *capabilities.add_workers();
    const v1::RegisterWorkerRequest& worker = entry.registration;
    summary.set_name(WorkerName(worker.worker_id()));
    summary.set_hostname(worker.hostname());
    summary.set_alive(entry.alive);
    summary.set_draining(entry.draining);
    for (const v1::Device& device : worker.devices()) {
      const std::string separator = device.model().empty() ? "" : " ";
      summary.add_devices(absl::StrCat(device.id(), separator, device.model()));
    }
    const auto held = state_.leases.HeldBy(worker.worker_id(), "");
    if (held.has_value()) summary.set_job(JobName(held->job_id));
  }
}

}  // namespace quantry::server
