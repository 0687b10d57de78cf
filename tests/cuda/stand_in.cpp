// A stand-in for a CUDA device: what `tests/cuda.rs` loads in place of libtorch_cuda.so.
//
// Its memory is the CPU's and so is its arithmetic, but to libtorch its tensors are on a CUDA
// device: they are made and copied by what is registered here, and an operator that gets a
// tensor of the CPU beside one of the device refuses it, but for single numbers, and indices.
// So it shows whether a program moves everything where it belongs, not whether a device's sums
// are right.
//
// Every operator without a kernel of its own here is computed by libtorch's fallback, which
// copies to the CPU and back.

#include <ATen/ATen.h>
#include <ATen/CPUGeneratorImpl.h>
#include <ATen/EmptyTensor.h>
#include <ATen/TensorIterator.h>
#include <ATen/detail/CUDAHooksInterface.h>
#include <ATen/native/CPUFallback.h>
#include <ATen/native/Copy.h>
#include <ATen/ops/_reshape_alias_native.h>
#include <ATen/ops/as_strided_native.h>
#include <ATen/ops/unfold_native.h>
#include <ATen/ops/view_native.h>
#include <c10/core/Allocator.h>
#include <c10/core/impl/DeviceGuardImplInterface.h>
#include <torch/library.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <string>

namespace {

using at::Tensor;
using c10::SymIntArrayRef;

const c10::Device DEVICE(c10::DeviceType::CUDA, 0);
const c10::DispatchKeySet KEYS(c10::DispatchKey::CUDA);
const c10::Stream STREAM(c10::Stream::DEFAULT, DEVICE);

// Bytes that a tensor may have: a device's memory is small.
size_t most_bytes() {
  const char* bytes = std::getenv("STAND_IN_BYTES");
  return bytes ? std::strtoull(bytes, nullptr, 10) : SIZE_MAX;
}

struct Memory final : c10::Allocator {
  c10::DataPtr allocate(size_t size) override {
    static const size_t most = most_bytes();
    static const bool is_told = std::getenv("STAND_IN_TELLS") && std::fputs("in use\n", stderr);
    (void)is_told;
    TORCH_CHECK_WITH(OutOfMemoryError, size <= most, "CUDA out of memory. Tried to allocate ",
                     size, " bytes");
    void* place = size ? std::malloc(size) : nullptr;
    return {place, place, &std::free, DEVICE};
  }
  c10::DeleterFnPtr raw_deleter() const override { return &std::free; }
  void copy_data(void* to, const void* from, size_t size) const override {
    std::memcpy(to, from, size);
  }
};
Memory memory;
REGISTER_ALLOCATOR(c10::DeviceType::CUDA, &memory);

// One device with one stream, on which everything has happened already.
struct Guard final : c10::impl::DeviceGuardImplInterface {
  c10::DeviceType type() const override { return c10::DeviceType::CUDA; }
  c10::Device exchangeDevice(c10::Device) const override { return DEVICE; }
  c10::Device getDevice() const override { return DEVICE; }
  void setDevice(c10::Device) const override {}
  void uncheckedSetDevice(c10::Device) const noexcept override {}
  c10::Stream getStream(c10::Device) const override { return STREAM; }
  c10::Stream getNewStream(c10::Device, int) const override { return STREAM; }
  c10::Stream exchangeStream(c10::Stream) const override { return STREAM; }
  c10::DeviceIndex deviceCount() const noexcept override { return 1; }
  bool queryStream(const c10::Stream&) const override { return true; }
  void synchronizeStream(const c10::Stream&) const override {}
  void synchronizeDevice(c10::DeviceIndex) const override {}
  void recordDataPtrOnStream(const c10::DataPtr&, const c10::Stream&) const override {}
};
C10_REGISTER_GUARD_IMPL(CUDA, Guard);

Tensor on_cpu(const Tensor& t) {
  if (t.device().is_cpu()) return t;
  auto options = t.options().device(at::kCPU).requires_grad(false);
  return at::from_blob(t.data_ptr(), t.sizes(), t.strides(), options);
}

void copy(at::TensorIterator& operands, bool) {
  on_cpu(operands.tensor(0)).copy_(on_cpu(operands.tensor(1)));
}

Tensor empty(SymIntArrayRef size, std::optional<at::ScalarType> type, std::optional<at::Layout>,
             std::optional<at::Device>, std::optional<bool>,
             std::optional<at::MemoryFormat> format) {
  return at::detail::empty_generic(C10_AS_INTARRAYREF_SLOW(size), &memory, KEYS,
                                   c10::dtype_or_default(type), format);
}

Tensor empty_strided(SymIntArrayRef size, SymIntArrayRef stride,
                     std::optional<at::ScalarType> type, std::optional<at::Layout>,
                     std::optional<at::Device>, std::optional<bool>) {
  return at::detail::empty_strided_generic(C10_AS_INTARRAYREF_SLOW(size),
                                           C10_AS_INTARRAYREF_SLOW(stride), &memory, KEYS,
                                           c10::dtype_or_default(type));
}

Tensor as_strided(const Tensor& t, SymIntArrayRef size, SymIntArrayRef stride,
                  std::optional<c10::SymInt> offset) {
  std::optional<int64_t> first;
  if (offset) first = offset->expect_int();
  return at::native::as_strided_tensorimpl(t, C10_AS_INTARRAYREF_SLOW(size),
                                           C10_AS_INTARRAYREF_SLOW(stride), first);
}

Tensor view(const Tensor& t, SymIntArrayRef size) {
  return at::native::view(t, C10_AS_INTARRAYREF_SLOW(size));
}

Tensor reshape_alias(const Tensor& t, SymIntArrayRef size, SymIntArrayRef stride) {
  return at::native::_reshape_alias(t, C10_AS_INTARRAYREF_SLOW(size),
                                    C10_AS_INTARRAYREF_SLOW(stride));
}

const Tensor& resize(const Tensor& t, SymIntArrayRef size, std::optional<at::MemoryFormat>) {
  auto* tensor = t.unsafeGetTensorImpl();
  tensor->set_sizes_contiguous(C10_AS_INTARRAYREF_SLOW(size));
  size_t need = (tensor->numel() + tensor->storage_offset()) * tensor->itemsize();
  if (need > t.storage().nbytes()) {
    t.storage().set_data_ptr_noswap(memory.allocate(need));
    t.storage().unsafeGetStorageImpl()->set_nbytes(need);
  }
  return t;
}

Tensor copy_from(const Tensor& from, const Tensor& to, bool) {
  on_cpu(to).copy_(on_cpu(from));
  return to;
}

Tensor copy_from_and_resize(const Tensor& from, const Tensor& to) {
  if (to.sizes() != from.sizes()) resize(to, from.sym_sizes(), {});
  return copy_from(from, to, false);
}

void refuse_cpu(const Tensor& t, const std::string& name) {
  // a single number may be on the CPU
  bool is_wrong = t.defined() && t.device().is_cpu() && t.dim() > 0;
  TORCH_CHECK(!is_wrong, "Expected all tensors to be on the same device, but one of ", name,
              " is on the CPU");
}

void compute(const c10::OperatorHandle& op, torch::jit::Stack* stack) {
  const std::string name = op.operator_name().name;
  for (size_t n = op.schema().arguments().size(); n > 0; n--) {
    const c10::IValue& value = (*stack)[stack->size() - n];
    if (value.isTensor()) refuse_cpu(value.toTensor(), name);
    // lists of optional tensors are indices, which may be on the CPU
    if (value.isTensorList()) {
      for (const Tensor& t : value.toTensorList()) refuse_cpu(t, name);
    }
  }
  at::native::cpu_fallback(op, stack);
}

}  // namespace

namespace at {

// libtorch looks for this name.
struct CUDAHooks final : CUDAHooksInterface {
  explicit CUDAHooks(CUDAHooksArgs) {}
  void init() const override {}
  bool isBuilt() const override { return true; }
  bool isAvailable() const override { return true; }
  bool hasCUDA() const override { return true; }
  bool hasPrimaryContext(DeviceIndex) const override { return true; }
  int getNumGPUs() const override { return 1; }
  DeviceIndex deviceCount() const override { return 1; }
  DeviceIndex current_device() const override { return 0; }
  DeviceIndex getCurrentDevice() const override { return 0; }
  DeviceIndex exchangeDevice(DeviceIndex) const override { return 0; }
  DeviceIndex maybeExchangeDevice(DeviceIndex) const override { return 0; }
  void setCurrentDevice(DeviceIndex) const override {}
  void deviceSynchronize(DeviceIndex) const override {}
  const Generator& getDefaultGenerator(DeviceIndex) const override {
    static Generator generator = at::detail::createCPUGenerator();
    return generator;
  }
};
REGISTER_CUDA_HOOKS(CUDAHooks);

namespace native {
REGISTER_CUDA_DISPATCH(copy_stub, &::copy);
}

}  // namespace at

TORCH_LIBRARY_IMPL(_, CUDA, library) {
  library.fallback(torch::CppFunction::makeFromBoxedFunction<&compute>());
}

TORCH_LIBRARY_IMPL(aten, CUDA, library) {
  library.impl("empty.memory_format", &empty);
  library.impl("empty_strided", &empty_strided);
  library.impl("as_strided", &as_strided);
  library.impl("view", &view);
  library.impl("_reshape_alias", &reshape_alias);
  library.impl("resize_", &resize);
  library.impl("_copy_from", &copy_from);
  library.impl("_copy_from_and_resize", &copy_from_and_resize);
  library.impl("unfold", &at::native::unfold);
}
