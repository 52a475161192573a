#include "server/rpc/capability_service.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "common/dataset_schemes.h"
#include "common/quant_config.h"
#include "server/core/catalog.h"
#include "server/core/job_id.h"
#include "server/rpc/rpc_call.h"

namespace quantry::server {
namespace {

void Fill(absl::Span<const absl::string_view> names,
          google::protobuf::RepeatedPtrField<std::string>& field) {
  for (const absl::string_view name : names) *field.Add() = std::string(name);
}

}  // namespace

grpc::Status CapabilityService::GetCapabilities(grpc::ServerContext*,
                                                const v1::GetCapabilitiesRequest*,
                                                v1::Capabilities* response) {
  return RunCall(state_.metrics, "CapabilityService/GetCapabilities", [&] {
    response->set_version(QUANTRY_VERSION);
    Fill(JobModes(), *response->mutable_modes());
    Fill(BuiltinModels(), *response->mutable_builtin_models());
    Fill(OnnxOperators(), *response->mutable_operators());
    Fill(SupportedWeightQuantizers(), *response->mutable_weight_quantizers());
    Fill(SupportedActivationQuantizers(), *response->mutable_activation_quantizers());
    Fill(SupportedPreprocessors(), *response->mutable_preprocessors());
    Fill(SupportedProfiles(), *response->mutable_profiles());
    Fill(SupportedLayerTypes(), *response->mutable_layer_types());
    Fill(SupportedWeightDtypes(), *response->mutable_weight_dtypes());
    Fill(SupportedActivationDtypes(), *response->mutable_activation_dtypes());
    Fill(SupportedCalibrators(), *response->mutable_calibrators());
    Fill(SupportedPactSettings(), *response->mutable_pact_settings());
    Fill(DatasetSchemeNames(), *response->mutable_dataset_schemes());
    response->set_min_bits(kMinQuantBits);
    response->set_max_bits(kMaxQuantBits);
    response->set_max_upload_bytes(max_upload_bytes_);
    response->set_max_device_count(kMaxDeviceCount);
    AddWorkers(*response);
    return absl::OkStatus();
  });
}

void CapabilityService::AddWorkers(v1::Capabilities& capabilities) const {
  for (const WorkerTable::Entry& entry : state_.workers.All(state_.clock.Monotonic())) {
    v1::WorkerSummary& summary = *capabilities.add_workers();
    const v1::RegisterWorkerRequest& worker = entry.registration;
    summary.set_name(WorkerName(worker.worker_id()));
    summary.set_hostname(worker.hostname());
    summary.set_alive(entry.alive);
    for (const v1::Device& device : worker.devices()) {
      const std::string separator = device.model().empty() ? "" : " ";
      summary.add_devices(absl::StrCat(device.id(), separator, device.model()));
    }
    const auto held = state_.leases.HeldBy(worker.worker_id(), "");
    if (held.has_value()) summary.set_job(JobName(held->job_id));
  }
}

}  // namespace quantry::server
