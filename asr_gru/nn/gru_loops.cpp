// The loops over time of a GRU layer's forward and backward pass (gru_loops.py compiles this).
//
// Gates stand in the order reset, update, new. The arithmetic is float32; what enters a product is
// rounded to `Low`, which is float or bfloat16. Arrays are contiguous, frames first.

#include <ATen/core/dispatch/Dispatcher.h>
#include <torch/extension.h>

#include <cmath>
#include <cstdint>
#include <cstring>
#include <vector>

namespace {

using at::Tensor;

struct BFloat16 {
  uint16_t bits;
};

inline float wide(float x) { return x; }

inline float wide(BFloat16 x) {
  const uint32_t bits = static_cast<uint32_t>(x.bits) << 16;
  float y;
  std::memcpy(&y, &bits, sizeof y);
  return y;
}

inline void narrow(float x, float* y) { *y = x; }

inline void narrow(float x, BFloat16* y) {  // to the nearest, ties to even
  uint32_t bits;
  std::memcpy(&bits, &x, sizeof bits);
  const bool finite = (bits & 0x7f800000u) != 0x7f800000u;
  y->bits = static_cast<uint16_t>((bits + (finite ? 0x7fffu + ((bits >> 16) & 1u) : 0u)) >> 16);
}

// 2^n * 2^f with |f| <= 1/2: the power of two by the bits, the rest by its Taylor polynomial, whose
// error is below 4e-7 of the value. Loops over it become vector instructions, unlike std::exp.
inline float exponential(float x) {
  const float bounded = std::fmin(std::fmax(x, -87.0f), 88.0f);
  const float scaled = bounded * 1.44269504f;
  const float whole = std::nearbyint(scaled);
  const float rest = (scaled - whole) * 0.69314718f;
  float sum = 1.0f / 720.0f;
  sum = sum * rest + 1.0f / 120.0f;
  sum = sum * rest + 1.0f / 24.0f;
  sum = sum * rest + 1.0f / 6.0f;
  sum = sum * rest + 0.5f;
  sum = sum * rest + 1.0f;
  sum = sum * rest + 1.0f;
  const int32_t bits = (static_cast<int32_t>(whole) + 127) << 23;
  float power;
  std::memcpy(&power, &bits, sizeof power);
  return sum * power + 0.0f * x;  // so that NaN stays NaN
}

inline float sigmoid(float x) { return 1.0f / (1.0f + exponential(-x)); }

inline float hyperbolic_tangent(float x) { return 1.0f - 2.0f / (1.0f + exponential(2.0f * x)); }

// Products with a weight that was laid out once: packed by oneDNN for bfloat16, transposed for
// float32.
Tensor product(const Tensor& x, const Tensor& weight) {
  if (x.scalar_type() == at::kFloat) return at::mm(x, weight);
  using Linear = Tensor(const Tensor&, const Tensor&, const std::optional<Tensor>&,
                        c10::string_view, c10::List<std::optional<at::Scalar>>,
                        std::optional<c10::string_view>);
  static const auto linear = c10::Dispatcher::singleton()
                                 .findSchemaOrThrow("mkldnn::_linear_pointwise", "")
                                 .typed<Linear>();
  static const c10::List<std::optional<at::Scalar>> none;
  return linear.call(x, weight, std::nullopt, "none", none, c10::string_view(""));
}

template <class Low>
void forward_loop(const Tensor& from_input, const Tensor& weight, const Tensor& bias_new,
                  const Tensor& hidden, const Tensor& hidden_low, const Tensor& gates,
                  const Tensor& recurrent_new) {
  const int64_t T = from_input.size(0), B = from_input.size(1), H = bias_new.size(0);
  const auto* in = static_cast<const Low*>(from_input.const_data_ptr());
  const float* bias = bias_new.const_data_ptr<float>();
  float* h = hidden.data_ptr<float>();
  auto* low = static_cast<Low*>(hidden_low.data_ptr());
  float* gate = gates.data_ptr<float>();
  float* rec = recurrent_new.data_ptr<float>();
  for (int64_t t = 0; t < T; ++t) {
    const Tensor y = product(hidden_low[t], weight);
    const auto* from_hidden = static_cast<const Low*>(y.const_data_ptr());
    for (int64_t b = 0; b < B; ++b) {
      const int64_t row = t * B + b;
      const Low* a = in + row * 3 * H;
      const Low* c = from_hidden + b * 3 * H;
      const float* before = h + row * H;
      float* after = h + (row + B) * H;
      Low* after_low = low + (row + B) * H;
      float* g = gate + row * 3 * H;
      float* r = rec + row * H;
#pragma GCC ivdep
      for (int64_t i = 0; i < 2 * H; ++i) g[i] = sigmoid(wide(a[i]) + wide(c[i]));
#pragma GCC ivdep
      for (int64_t i = 0; i < H; ++i) {
        const float recurrent = wide(c[2 * H + i]) + bias[i];
        const float fresh = hyperbolic_tangent(wide(a[2 * H + i]) + g[i] * recurrent);
        const float next = fresh + g[H + i] * (before[i] - fresh);
        r[i] = recurrent;
        g[2 * H + i] = fresh;
        after[i] = next;
        narrow(next, after_low + i);
      }
    }
  }
}

template <class Low>
void backward_loop(const Tensor& grad, const Tensor& weight, const Tensor& hidden,
                   const Tensor& gates, const Tensor& recurrent_new, const Tensor& d_gates,
                   const Tensor& d_new, const Tensor& d_bias, const Tensor& d_bias_new,
                   const Tensor& d_hidden) {
  const int64_t T = grad.size(0), B = grad.size(1), H = grad.size(2);
  const float* towards = grad.const_data_ptr<float>();
  const float* h = hidden.const_data_ptr<float>();
  const float* gate = gates.const_data_ptr<float>();
  const float* rec = recurrent_new.const_data_ptr<float>();
  auto* dg = static_cast<Low*>(d_gates.data_ptr());
  auto* dn = static_cast<Low*>(d_new.data_ptr());
  float* sums = d_bias.data_ptr<float>();
  float* sums_new = d_bias_new.data_ptr<float>();
  float* dh = d_hidden.data_ptr<float>();
  for (int64_t t = T - 1; t >= 0; --t) {
    for (int64_t b = 0; b < B; ++b) {
      const int64_t row = t * B + b;
      const float* g = gate + row * 3 * H;
      const float* r = rec + row * H;
      const float* before = h + row * H;
      float* d = dh + b * H;
      Low* out = dg + row * 3 * H;
      Low* out_new = dn + row * H;
#pragma GCC ivdep
      for (int64_t i = 0; i < H; ++i) {
        const float reset = g[i], update = g[H + i], fresh = g[2 * H + i], come = d[i];
        const float of_new = (1.0f - fresh * fresh) * (1.0f - update) * come;
        const float of_recurrent = of_new * reset;
        const float of_reset = of_recurrent * r[i] * (1.0f - reset);
        const float of_update = (before[i] - fresh) * (update - update * update) * come;
        narrow(of_reset, out + i);
        narrow(of_update, out + H + i);
        narrow(of_recurrent, out + 2 * H + i);
        narrow(of_new, out_new + i);
        sums[i] += of_reset;
        sums[H + i] += of_update;
        sums[2 * H + i] += of_recurrent;
        sums_new[i] += of_new;
        d[i] = come * update;
      }
    }
    const Tensor y = product(d_gates[t], weight);
    const auto* back = static_cast<const Low*>(y.const_data_ptr());
    if (t == 0) {
#pragma GCC ivdep
      for (int64_t i = 0; i < B * H; ++i) dh[i] += wide(back[i]);
    } else {
      const float* earlier = towards + (t - 1) * B * H;
#pragma GCC ivdep
      for (int64_t i = 0; i < B * H; ++i) dh[i] += wide(back[i]) + earlier[i];
    }
  }
}

// Fills hidden[1:], hidden_low[1:], gates and recurrent_new from hidden[0] and hidden_low[0].
void forward(const Tensor& from_input, const Tensor& weight, const Tensor& bias_new,
             const Tensor& hidden, const Tensor& hidden_low, const Tensor& gates,
             const Tensor& recurrent_new) {
  const at::NoGradGuard no_grad;
  const auto loop = from_input.scalar_type() == at::kFloat ? forward_loop<float>
                                                           : forward_loop<BFloat16>;
  loop(from_input, weight, bias_new, hidden, hidden_low, gates, recurrent_new);
}

// Fills d_gates and d_new, adds to the sums of the biases, and turns d_hidden from the gradient of
// the last state into that of the first.
void backward(const Tensor& grad, const Tensor& weight, const Tensor& hidden, const Tensor& gates,
              const Tensor& recurrent_new, const Tensor& d_gates, const Tensor& d_new,
              const Tensor& d_bias, const Tensor& d_bias_new, const Tensor& d_hidden) {
  const at::NoGradGuard no_grad;
  const auto loop = d_gates.scalar_type() == at::kFloat ? backward_loop<float>
                                                        : backward_loop<BFloat16>;
  loop(grad, weight, hidden, gates, recurrent_new, d_gates, d_new, d_bias, d_bias_new, d_hidden);
}

}  // namespace

PYBIND11_MODULE(TORCH_EXTENSION_NAME, m) {
  m.def("forward", &forward);
  m.def("backward", &backward);
}
