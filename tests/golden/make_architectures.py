"""Makes tests/golden/architectures/NAME.json: for each architecture a configuration, the names and
shapes of the tensors, random tokens, and what Hugging Face Transformers computes for them with
weights from a generator that the test has too (tests/golden/weights.h), so that no weights are
stored. The pass is in float64, except where Transformers' own code computes in float32.

usage: make_architectures.py [NAME ...]      (torch, transformers 5, safetensors, numpy)
"""
import json
import os
import sys
import tempfile

import numpy
import torch
import transformers
from safetensors.torch import load_file, save_file

HERE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "architectures")
TOKENS, VOCABULARY, GREEDY, PREFIX = 230, 256, 12, 60
MASK = (1 << 64) - 1

base = dict(hidden_size=64, intermediate_size=96, num_hidden_layers=2, num_attention_heads=4,
            num_key_value_heads=2, vocab_size=VOCABULARY, max_position_embeddings=2048,
            bos_token_id=None, eos_token_id=None, pad_token_id=None)


def of(model_type, name, **more):
    return dict(base, model_type=model_type, architectures=[name], **more)


plain = lambda theta, **more: {"rope_parameters": dict(rope_type="default", rope_theta=theta, **more)}
FULL, WINDOW, LINEAR = "full_attention", "sliding_attention", "linear_attention"
mrope = lambda theta, **more: plain(theta, mrope_section=[2, 1, 1], mrope_interleaved=True, **more)
delta = lambda **more: dict(linear_conv_kernel_dim=4, tie_word_embeddings=False, **more)
CASES = {
    "llama-biases": of("llama", "LlamaForCausalLM", attention_bias=True, mlp_bias=True, head_dim=24,
                       tie_word_embeddings=False,
                       rope_parameters=dict(rope_type="linear", factor=4.0, rope_theta=1e4)),
    "qwen2-windows": of("qwen2", "Qwen2ForCausalLM", num_hidden_layers=3, sliding_window=40,
                        use_sliding_window=True, max_window_layers=1, tie_word_embeddings=False,
                        layer_types=[FULL, WINDOW, WINDOW], **plain(1e6)),
    "mistral": of("mistral", "MistralForCausalLM", sliding_window=65, head_dim=32,
                  tie_word_embeddings=False, **plain(1e4)),
    "ministral": of("ministral", "MinistralForCausalLM", sliding_window=33, head_dim=16,
                    num_hidden_layers=3, layer_types=[WINDOW, FULL, WINDOW],
                    tie_word_embeddings=False, **plain(1e5)),
    "mistral3": of("ministral3", "Ministral3ForCausalLM", head_dim=32, sliding_window=None,
                   tie_word_embeddings=False,
                   rope_parameters=dict(rope_type="yarn", type="yarn", rope_theta=1e6, factor=16.0,
                                        beta_fast=32.0, beta_slow=1.0, mscale=1.0, mscale_all_dim=1.0,
                                        llama_4_scaling_beta=0.3,
                                        original_max_position_embeddings=64)),
    "seed-oss": of("seed_oss", "SeedOssForCausalLM", attention_bias=True, attention_out_bias=True,
                   mlp_bias=True, head_dim=32, tie_word_embeddings=False, **plain(1e7)),
    "smollm3": of("smollm3", "SmolLM3ForCausalLM", num_hidden_layers=4, no_rope_layers=[1, 0, 1, 1],
                  use_sliding_window=False, sliding_window=None, tie_word_embeddings=False,
                  **plain(5e6)),
    "ernie4_5": of("ernie4_5", "Ernie4_5ForCausalLM", use_bias=True, head_dim=32,
                   tie_word_embeddings=False, **plain(5e5)),
    "hunyuan-dense": of("hunyuan_v1_dense", "HunYuanDenseV1ForCausalLM", head_dim=24,
                        tie_word_embeddings=True,
                        rope_parameters=dict(rope_type="dynamic", alpha=100.0, factor=1.0,
                                             rope_theta=1e4)),
    "granite": of("granite", "GraniteForCausalLM", attention_bias=True, attention_multiplier=0.11,
                  embedding_multiplier=3.0, residual_multiplier=0.7, logits_scaling=0.5,
                  tie_word_embeddings=False, **plain(1e4)),
    "phi3": of("phi3", "Phi3ForCausalLM", sliding_window=50, tie_word_embeddings=False,
               num_key_value_heads=4, original_max_position_embeddings=2048, rms_norm_eps=1e-5,
               **plain(1e4, partial_rotary_factor=0.75)),
    # The greedy tokens cross the original context, and decoding the last tokens does.
    "phi3-longrope": of("phi3", "Phi3ForCausalLM", sliding_window=50, tie_word_embeddings=False,
                        original_max_position_embeddings=65, rms_norm_eps=1e-5,
                        rope_parameters=dict(rope_type="longrope", rope_theta=1e4,
                                             original_max_position_embeddings=65,
                                             short_factor=[1.0, 1.1, 1.3, 1.4, 1.8, 2.1, 2.2, 3.5],
                                             long_factor=[1.0, 2.2, 3.6, 5.1, 7.7, 11.0, 20.5, 31.0])),
    "phi4-mini": of("phi3", "Phi3ForCausalLM", sliding_window=None, tie_word_embeddings=True,
                    original_max_position_embeddings=220, rms_norm_eps=1e-5,
                    num_attention_heads=2, num_key_value_heads=1,
                    rope_parameters=dict(rope_type="longrope", rope_theta=1e4,
                                         partial_rotary_factor=0.75, attention_factor=1.1,
                                         original_max_position_embeddings=220,
                                         short_factor=[1.0 + 0.1 * i for i in range(12)],
                                         long_factor=[1.0 + 0.5 * i * i for i in range(12)])),
    "glm": of("glm", "GlmForCausalLM", attention_bias=True, head_dim=32, rms_norm_eps=1e-5,
              tie_word_embeddings=False, **plain(1e4, partial_rotary_factor=0.5)),
    "glm4": of("glm4", "Glm4ForCausalLM", attention_bias=True, head_dim=32, rms_norm_eps=1e-5,
               tie_word_embeddings=False, **plain(1e4, partial_rotary_factor=0.5)),
    "cohere": of("cohere", "CohereForCausalLM", use_qk_norm=True, logit_scale=0.8,
                 layer_norm_eps=1e-5, tie_word_embeddings=False, **plain(1e4)),
    "cohere2": of("cohere2", "Cohere2ForCausalLM", num_hidden_layers=4, sliding_window=24,
                  logit_scale=0.9, layer_norm_eps=1e-5, tie_word_embeddings=False,
                  layer_types=[WINDOW, WINDOW, FULL, WINDOW], **plain(5e4)),
    "starcoder2": of("starcoder2", "Starcoder2ForCausalLM", hidden_act="gelu_pytorch_tanh",
                     use_bias=True, sliding_window=30, norm_epsilon=1e-5, tie_word_embeddings=False,
                     **plain(1e5)),
    "stablelm": of("stablelm", "StableLmForCausalLM", use_qkv_bias=False, qk_layernorm=True,
                   use_parallel_residual=True, num_key_value_heads=2, head_dim=None,
                   tie_word_embeddings=False, layer_norm_eps=1e-5,
                   **plain(1e4, partial_rotary_factor=0.25)),
    "stablelm-2": of("stablelm", "StableLmForCausalLM", use_qkv_bias=True, qk_layernorm=False,
                     use_parallel_residual=False, num_key_value_heads=4, head_dim=None,
                     tie_word_embeddings=False, layer_norm_eps=1e-5,
                     **plain(1e4, partial_rotary_factor=0.25)),
    "olmo2": of("olmo2", "Olmo2ForCausalLM", tie_word_embeddings=False, rms_norm_eps=1e-6,
                **plain(5e5)),
    "olmo3": of("olmo3", "Olmo3ForCausalLM", tie_word_embeddings=False, rms_norm_eps=1e-6,
                num_hidden_layers=3, sliding_window=20, layer_types=[WINDOW, FULL, WINDOW],
                rope_parameters={
                    FULL: dict(rope_type="yarn", rope_theta=5e5, factor=8.0, attention_factor=1.2,
                               beta_fast=32.0, beta_slow=1.0, original_max_position_embeddings=128),
                    WINDOW: dict(rope_type="default", rope_theta=5e5)}),
    "exaone4": of("exaone4", "Exaone4ForCausalLM", num_hidden_layers=4, sliding_window=28,
                  head_dim=32, tie_word_embeddings=False, layer_types=[WINDOW, FULL, WINDOW, FULL],
                  rope_parameters=dict(rope_type="llama3", rope_theta=1e6, factor=16.0,
                                       low_freq_factor=1.0, high_freq_factor=4.0,
                                       original_max_position_embeddings=128)),
    "gemma": of("gemma", "GemmaForCausalLM", head_dim=32, hidden_act="gelu_pytorch_tanh",
                num_key_value_heads=1, tie_word_embeddings=False, rms_norm_eps=1e-6, **plain(1e4)),
    "gemma2": of("gemma2", "Gemma2ForCausalLM", head_dim=32, num_hidden_layers=3, sliding_window=36,
                 hidden_activation="gelu_pytorch_tanh", query_pre_attn_scalar=20,
                 attn_logit_softcapping=2.0, final_logit_softcapping=5.0, rms_norm_eps=1e-6,
                 tie_word_embeddings=True, layer_types=[WINDOW, FULL, WINDOW], **plain(1e4)),
    "qwen3_5": of("qwen3_5_text", "Qwen3_5ForCausalLM", num_hidden_layers=4, head_dim=32,
                  layer_types=[LINEAR, LINEAR, FULL, LINEAR], rms_norm_eps=1e-6,
                  **delta(linear_num_key_heads=2, linear_num_value_heads=6, linear_key_head_dim=20,
                          linear_value_head_dim=24),
                  **mrope(1e7, partial_rotary_factor=0.25)),
    "qwen3_5_moe": of("qwen3_5_moe_text", "Qwen3_5MoeForCausalLM", num_hidden_layers=3, head_dim=32,
                      layer_types=[LINEAR, LINEAR, FULL], rms_norm_eps=1e-6, num_experts=6,
                      num_experts_per_tok=2, moe_intermediate_size=32,
                      shared_expert_intermediate_size=32,
                      **delta(linear_num_key_heads=2, linear_num_value_heads=4,
                              linear_key_head_dim=16, linear_value_head_dim=32),
                      **mrope(1e7, partial_rotary_factor=0.25)),
    "qwen3_next": of("qwen3_next", "Qwen3NextForCausalLM", num_hidden_layers=3, head_dim=32,
                     layer_types=[LINEAR, FULL, LINEAR], rms_norm_eps=1e-6, num_experts=6,
                     num_experts_per_tok=2, moe_intermediate_size=32, norm_topk_prob=True,
                     shared_expert_intermediate_size=32, decoder_sparse_step=1, mlp_only_layers=[],
                     **delta(linear_num_key_heads=2, linear_num_value_heads=4,
                             linear_key_head_dim=16, linear_value_head_dim=16),
                     **plain(1e7, partial_rotary_factor=0.25)),
    "granitehybrid": of("granitemoehybrid", "GraniteMoeHybridForCausalLM", num_hidden_layers=3,
                        layer_types=["mamba", "attention", "mamba"], tie_word_embeddings=False,
                        intermediate_size=32, num_local_experts=6, num_experts_per_tok=2,
                        shared_intermediate_size=64, position_embedding_type="nope",
                        attention_multiplier=0.12, embedding_multiplier=2.5, logits_scaling=3.0,
                        residual_multiplier=0.6, mamba_n_heads=8, mamba_d_head=16,
                        mamba_n_groups=2, mamba_d_state=24, mamba_d_conv=4, mamba_expand=2,
                        **plain(1e4)),
    "falcon_h1": of("falcon_h1", "FalconH1ForCausalLM", tie_word_embeddings=False, head_dim=16,
                    mamba_d_ssm=96, mamba_n_heads=6, mamba_d_head=16, mamba_n_groups=2,
                    mamba_d_state=24, mamba_rms_norm=True, mamba_norm_before_gate=False,
                    attention_in_multiplier=0.9, attention_out_multiplier=0.8, key_multiplier=0.6,
                    embedding_multiplier=1.6, lm_head_multiplier=0.7, mlp_multipliers=[1.3, 0.75],
                    ssm_in_multiplier=1.25, ssm_multipliers=[0.8, 1.2, 0.9, 1.1, 0.7],
                    ssm_out_multiplier=0.7, **plain(1e11)),
    "bamba": of("bamba", "BambaForCausalLM", num_hidden_layers=3, attn_layer_indices=[1],
                tie_word_embeddings=False, mamba_n_heads=8, mamba_d_head=16, mamba_n_groups=2,
                mamba_d_state=24, mamba_d_conv=4, mamba_expand=2, rms_norm_eps=1e-5,
                **plain(1e4, partial_rotary_factor=0.5)),
    "lfm2": of("lfm2", "Lfm2ForCausalLM", num_hidden_layers=4, full_attn_idxs=[2], conv_L_cache=3,
               block_multiple_of=32, tie_word_embeddings=True, norm_eps=1e-5, **plain(1e6)),
    "nemotron_h": of("nemotron_h", "NemotronHForCausalLM", num_hidden_layers=4, head_dim=32,
                     hybrid_override_pattern="M-*E", mamba_num_heads=8, mamba_head_dim=16,
                     n_groups=2, ssm_state_size=24, conv_kernel=4, layer_norm_epsilon=1e-5,
                     time_step_min=0.7,  # above half of the steps, which the class then raises
                     n_routed_experts=6, num_experts_per_tok=2, moe_intermediate_size=32,
                     n_shared_experts=1, moe_shared_expert_intermediate_size=32,
                     routed_scaling_factor=1.25, tie_word_embeddings=False),
    # Three ranks share the heads of one kind of layers, two those of the other.
    "kimi_linear": of("kimi_linear", "KimiLinearForCausalLM", num_hidden_layers=4, head_dim=None,
                      layer_types=[LINEAR, LINEAR, FULL, LINEAR], num_key_value_heads=4,
                      mlp_layer_types=["dense", "sparse", "sparse", "dense"], linear_num_heads=3,
                      linear_head_dim=24, linear_conv_kernel_dim=4, kv_lora_rank=32,
                      q_lora_rank=None, qk_nope_head_dim=16, qk_rope_head_dim=16, v_head_dim=32,
                      num_experts=6, num_experts_per_token=2, moe_intermediate_size=32,
                      num_shared_experts=1, num_expert_group=2, topk_group=1, moe_renormalize=True,
                      routed_scaling_factor=1.25, rms_norm_eps=1e-5, tie_word_embeddings=False),
    "lfm2_moe": of("lfm2_moe", "Lfm2MoeForCausalLM", num_hidden_layers=4, conv_L_cache=3,
                   layer_types=["conv", "conv", FULL, "conv"], num_dense_layers=1, num_experts=6,
                   num_experts_per_tok=2, moe_intermediate_size=32, routed_scaling_factor=1.25,
                   tie_word_embeddings=True, norm_eps=1e-5, **plain(1e6)),
    "gemma3": of("gemma3_text", "Gemma3ForCausalLM", head_dim=32, num_hidden_layers=4,
                 sliding_window=36, hidden_activation="gelu_pytorch_tanh", query_pre_attn_scalar=24,
                 tie_word_embeddings=False, rms_norm_eps=1e-6,
                 layer_types=[WINDOW, WINDOW, WINDOW, FULL],
                 rope_parameters={FULL: dict(rope_type="linear", factor=8.0, rope_theta=1e6),
                                  WINDOW: dict(rope_type="default", rope_theta=1e4)}),
    # Two shapes of heads, of which three ranks share one and two the other; values that are keys.
    "gemma4": of("gemma4_text", "Gemma4ForCausalLM", head_dim=32, global_head_dim=48,
                 num_attention_heads=6, num_key_value_heads=3, num_global_key_value_heads=2,
                 attention_k_eq_v=True, num_hidden_layers=4, sliding_window=36,
                 hidden_size_per_layer_input=0, final_logit_softcapping=20.0, tie_word_embeddings=True,
                 layer_types=[WINDOW, FULL, WINDOW, FULL], rms_norm_eps=1e-6,
                 hidden_activation="gelu_pytorch_tanh",
                 rope_parameters={FULL: dict(rope_type="proportional", partial_rotary_factor=0.5,
                                             rope_theta=1e6),
                                  WINDOW: dict(rope_type="default", rope_theta=1e4)}),
    # Values of their own; the shapes as newer files say them.
    "gemma4-values": of("gemma4_text", "Gemma4ForCausalLM", head_dim=16, global_head_dim=64,
                        num_hidden_layers=3, sliding_window=70, hidden_size_per_layer_input=0,
                        attention_k_eq_v=False, tie_word_embeddings=True, rms_norm_eps=1e-6,
                        layer_types=[WINDOW, WINDOW, FULL], hidden_activation="gelu_pytorch_tanh",
                        rope_parameters={FULL: dict(rope_type="proportional",
                                                    partial_rotary_factor=0.25, rope_theta=1e6),
                                         WINDOW: dict(rope_type="default", rope_theta=1e4)}),
    # Two shapes of heads, both of which two ranks share out; four ranks share out one.
    "gemma4-even": of("gemma4_text", "Gemma4ForCausalLM", head_dim=16, global_head_dim=32,
                      num_attention_heads=4, num_key_value_heads=4, num_global_key_value_heads=2,
                      attention_k_eq_v=True, num_hidden_layers=3, sliding_window=50,
                      hidden_size_per_layer_input=0, final_logit_softcapping=20.0,
                      tie_word_embeddings=True, rms_norm_eps=1e-6,
                      layer_types=[FULL, WINDOW, FULL], hidden_activation="gelu_pytorch_tanh",
                      rope_parameters={FULL: dict(rope_type="proportional",
                                                  partial_rotary_factor=0.25, rope_theta=1e6),
                                       WINDOW: dict(rope_type="default", rope_theta=1e4)}),
    # Inputs of each layer, last layers that read keys and values of earlier ones, wider MLPs there.
    "gemma4-inputs": of("gemma4_text", "Gemma4ForCausalLM", head_dim=16, global_head_dim=32,
                        num_hidden_layers=5, num_kv_shared_layers=2, sliding_window=40,
                        hidden_size_per_layer_input=24, vocab_size_per_layer_input=VOCABULARY,
                        use_double_wide_mlp=True, attention_k_eq_v=False, rms_norm_eps=1e-6,
                        final_logit_softcapping=20.0, tie_word_embeddings=True,
                        layer_types=[FULL, WINDOW, WINDOW, FULL, WINDOW],
                        hidden_activation="gelu_pytorch_tanh",
                        rope_parameters={FULL: dict(rope_type="proportional",
                                                    partial_rotary_factor=0.25, rope_theta=1e6),
                                         WINDOW: dict(rope_type="default", rope_theta=1e4)}),
    "gemma3n": of("gemma3n_text", "Gemma3nForCausalLM", head_dim=16, num_hidden_layers=4,
                  num_kv_shared_layers=1, sliding_window=40, hidden_size_per_layer_input=24,
                  vocab_size_per_layer_input=200, altup_num_inputs=3, laurel_rank=24,
                  activation_sparsity_pattern=[0.9, 0.0, 0.4, 0.0], final_logit_softcapping=20.0,
                  tie_word_embeddings=True, rms_norm_eps=1e-6,
                  layer_types=[WINDOW, FULL, WINDOW, WINDOW],
                  hidden_activation="gelu_pytorch_tanh",
                  rope_parameters={FULL: dict(rope_type="default", rope_theta=1e6),
                                   WINDOW: dict(rope_type="default", rope_theta=1e4)}),
    "vaultgemma": of("vaultgemma", "VaultGemmaForCausalLM", head_dim=16, num_hidden_layers=3,
                     sliding_window=40, query_pre_attn_scalar=24, attn_logit_softcapping=20.0,
                     final_logit_softcapping=10.0, tie_word_embeddings=True, rms_norm_eps=1e-6,
                     hidden_activation="gelu_pytorch_tanh", **plain(1e4)),
    "cwm": of("cwm", "CwmForCausalLM", bos_token_id=1, head_dim=16, num_hidden_layers=5, sliding_window=40,
              tie_word_embeddings=False,
              rope_parameters=dict(rope_type="llama3", rope_theta=1e6, factor=16.0,
                                   high_freq_factor=4.0, low_freq_factor=1.0,
                                   original_max_position_embeddings=256)),
    # Experts besides the MLP, the router behind a norm of its own.
    "gemma4-moe": of("gemma4_text", "Gemma4ForCausalLM", head_dim=16, global_head_dim=32,
                     num_key_value_heads=2, num_global_key_value_heads=1, attention_k_eq_v=True,
                     num_hidden_layers=3, sliding_window=50, hidden_size_per_layer_input=0,
                     enable_moe_block=True, num_experts=6, top_k_experts=2, moe_intermediate_size=40,
                     final_logit_softcapping=20.0, tie_word_embeddings=True, rms_norm_eps=1e-6,
                     layer_types=[WINDOW, WINDOW, FULL], hidden_activation="gelu_pytorch_tanh",
                     rope_parameters={FULL: dict(rope_type="proportional",
                                                 partial_rotary_factor=0.25, rope_theta=1e6),
                                      WINDOW: dict(rope_type="default", rope_theta=1e4)}),
    "deepseek-v2": of("deepseek_v2", "DeepseekV2ForCausalLM", num_key_value_heads=4, q_lora_rank=None,
                      kv_lora_rank=32, qk_nope_head_dim=24, qk_rope_head_dim=8, v_head_dim=48,
                      first_k_dense_replace=2, tie_word_embeddings=False,
                      rope_parameters=dict(rope_type="yarn", rope_theta=1e4, factor=16.0,
                                           beta_fast=32.0, beta_slow=1.0, mscale=0.707,
                                           mscale_all_dim=0.707,
                                           original_max_position_embeddings=64)),
    "deepseek-v2-experts": of("deepseek_v2", "DeepseekV2ForCausalLM", num_key_value_heads=4,
                              q_lora_rank=40, kv_lora_rank=32, qk_nope_head_dim=16,
                              qk_rope_head_dim=16, v_head_dim=32, first_k_dense_replace=1,
                              n_routed_experts=8, num_experts_per_tok=2, moe_intermediate_size=40,
                              n_group=4, topk_group=2, topk_method="group_limited_greedy",
                              n_shared_experts=2, routed_scaling_factor=1.5, norm_topk_prob=False,
                              tie_word_embeddings=False, **plain(1e4)),
    "deepseek-v3-experts": of("deepseek_v3", "DeepseekV3ForCausalLM", num_key_value_heads=4,
                              q_lora_rank=None, kv_lora_rank=32, qk_nope_head_dim=16,
                              qk_rope_head_dim=16, v_head_dim=32, first_k_dense_replace=1,
                              n_routed_experts=12, num_experts_per_tok=3, moe_intermediate_size=40,
                              n_group=4, topk_group=2, n_shared_experts=1,
                              routed_scaling_factor=1.5, norm_topk_prob=True,
                              tie_word_embeddings=False, **plain(1e4)),
    "deepseek-v3": of("deepseek_v3", "DeepseekV3ForCausalLM", num_attention_heads=6,
                      num_key_value_heads=6, q_lora_rank=40, kv_lora_rank=64, qk_nope_head_dim=16,
                      qk_rope_head_dim=16, v_head_dim=32, first_k_dense_replace=2,
                      rms_norm_eps=1e-5, tie_word_embeddings=False,
                      rope_parameters=dict(rope_type="yarn", rope_theta=1e4, factor=16.0,
                                           beta_fast=32.0, beta_slow=1.0, mscale=1.0,
                                           mscale_all_dim=1.0,
                                           original_max_position_embeddings=64)),
    "nemotron": of("nemotron", "NemotronForCausalLM", hidden_act="relu2", attention_bias=True,
                   mlp_bias=True, norm_eps=1e-5, head_dim=32, tie_word_embeddings=False,
                   **plain(1e4, partial_rotary_factor=0.5)),
    "arcee": of("arcee", "ArceeForCausalLM", hidden_act="relu2", head_dim=24, rms_norm_eps=1e-5,
                tie_word_embeddings=False,
                rope_parameters=dict(rope_type="yarn", rope_theta=1e4, factor=20.0, beta_fast=32.0,
                                     beta_slow=1.0, mscale=1.0,
                                     original_max_position_embeddings=64)),
    "olmo": of("olmo", "OlmoForCausalLM", clip_qkv=1.2, tie_word_embeddings=False, **plain(1e4)),
    "phi2": of("phi", "PhiForCausalLM", hidden_act="gelu_new", layer_norm_eps=1e-5,
               num_key_value_heads=4, qk_layernorm=False, tie_word_embeddings=False,
               **plain(1e4, partial_rotary_factor=0.5)),
    "gpt-neox": of("gpt_neox", "GPTNeoXForCausalLM", hidden_act="gelu", layer_norm_eps=1e-5,
                   num_key_value_heads=4, use_parallel_residual=True, attention_bias=True,
                   tie_word_embeddings=False, **plain(1e4, partial_rotary_factor=0.25)),
    # The text of models of images and text. Adapters of images are as small as their classes allow.
    "qwen2-vl": of("qwen2_vl", "Qwen2VLForConditionalGeneration", tie_word_embeddings=False,
                   rms_norm_eps=1e-6, rope_theta=1e6, use_sliding_window=False,
                   rope_scaling=dict(type="mrope", mrope_section=[2, 3, 3]),
                   vision_config=dict(depth=1, embed_dim=8, hidden_size=64, num_heads=1, mlp_ratio=1,
                                      patch_size=2, temporal_patch_size=1, spatial_merge_size=1,
                                      in_channels=1)),
    "qwen3-vl-moe": dict(
        model_type="qwen3_vl_moe", architectures=["Qwen3VLMoeForConditionalGeneration"],
        tie_word_embeddings=False,
        text_config=dict(base, model_type="qwen3_vl_moe_text", head_dim=32, num_experts=6,
                         num_experts_per_tok=2, moe_intermediate_size=40, decoder_sparse_step=1,
                         mlp_only_layers=[], norm_topk_prob=True, rms_norm_eps=1e-6,
                         rope_theta=5e6, rope_scaling=dict(rope_type="default", mrope_interleaved=True,
                                                           mrope_section=[6, 5, 5])),
        vision_config=dict(depth=1, hidden_size=8, out_hidden_size=64, num_heads=1,
                           intermediate_size=8, patch_size=2, temporal_patch_size=1,
                           spatial_merge_size=1, in_channels=1, num_position_embeddings=4,
                           deepstack_visual_indexes=[0])),
    "mixtral": of("mixtral", "MixtralForCausalLM", num_local_experts=5, num_experts_per_tok=2,
                  sliding_window=48, head_dim=24, tie_word_embeddings=False, **plain(1e6)),
    # Shorter than the original context: beyond, the class keeps the short factors.
    "phimoe": of("phimoe", "PhimoeForCausalLM", num_local_experts=5, num_experts_per_tok=2,
                 intermediate_size=40, attention_bias=True, lm_head_bias=True, sliding_window=50,
                 router_jitter_noise=0.2,  # so that other experts are near in many tokens
                 input_jitter_noise=0.0, rms_norm_eps=1e-5, tie_word_embeddings=False,
                 original_max_position_embeddings=400,
                 rope_parameters=dict(rope_type="longrope", rope_theta=1e4, short_mscale=1.2,
                                      long_mscale=1.2, original_max_position_embeddings=400,
                                      short_factor=[1.0, 1.1, 1.3, 1.4, 1.8, 2.1, 2.2, 3.5],
                                      long_factor=[1.0, 2.2, 3.6, 5.1, 7.7, 11.0, 20.5, 31.0])),
    "olmoe": of("olmoe", "OlmoeForCausalLM", num_experts=7, num_experts_per_tok=3,
                norm_topk_prob=False, intermediate_size=40, clip_qkv=None,
                tie_word_embeddings=False, **plain(1e4)),
    "granitemoe": of("granitemoeshared", "GraniteMoeSharedForCausalLM", num_local_experts=6,
                     num_experts_per_tok=2, shared_intermediate_size=72, attention_multiplier=0.11,
                     embedding_multiplier=3.0, residual_multiplier=0.7, logits_scaling=0.5,
                     intermediate_size=48, tie_word_embeddings=False, **plain(1e4)),
    "qwen2-moe": of("qwen2_moe", "Qwen2MoeForCausalLM", num_hidden_layers=3, num_experts=6,
                    num_experts_per_tok=2, moe_intermediate_size=40, qkv_bias=True,
                    shared_expert_intermediate_size=80, mlp_only_layers=[1], decoder_sparse_step=1,
                    norm_topk_prob=False, sliding_window=0, use_sliding_window=False,
                    tie_word_embeddings=False, **plain(1e6)),
    "glm4-moe": of("glm4_moe", "Glm4MoeForCausalLM", num_hidden_layers=3, first_k_dense_replace=1,
                   n_routed_experts=12, num_experts_per_tok=3, moe_intermediate_size=40, n_group=4,
                   topk_group=2, n_shared_experts=2, routed_scaling_factor=1.5, norm_topk_prob=True,
                   use_qk_norm=True, attention_bias=True, head_dim=32, rms_norm_eps=1e-5,
                   num_nextn_predict_layers=0, tie_word_embeddings=False,
                   **plain(1e5, partial_rotary_factor=0.5)),
    "solar-open": of("solar_open", "SolarOpenForCausalLM", intermediate_size=None,
                     n_routed_experts=8, num_experts_per_tok=3, moe_intermediate_size=40, n_group=4,
                     topk_group=2, n_shared_experts=2, routed_scaling_factor=1.5,
                     norm_topk_prob=True, attention_bias=True, head_dim=32, rms_norm_eps=1e-5,
                     tie_word_embeddings=False, **plain(1e6)),
    "exaone-moe": of("exaone_moe", "ExaoneMoeForCausalLM", num_hidden_layers=4, sliding_window=28,
                     head_dim=32, first_k_dense_replace=1, num_experts=8, num_experts_per_tok=2,
                     moe_intermediate_size=40, num_shared_experts=2, n_group=4, topk_group=2,
                     routed_scaling_factor=2.0, norm_topk_prob=True, tie_word_embeddings=False,
                     rms_norm_eps=1e-5, layer_types=[WINDOW, FULL, WINDOW, FULL], **plain(1e6)),
    # With other names the same as Ling 2.0, which Transformers does not have.
    "bailing-moe2": of("glm4_moe", "Glm4MoeForCausalLM", num_hidden_layers=2, head_dim=32,
                       first_k_dense_replace=1, n_routed_experts=8, num_experts_per_tok=2,
                       moe_intermediate_size=40, n_group=4, topk_group=2, n_shared_experts=1,
                       routed_scaling_factor=2.5, norm_topk_prob=True, use_qk_norm=True,
                       attention_bias=False, rms_norm_eps=1e-6, num_nextn_predict_layers=0,
                       qkv_in_turn=True, tie_word_embeddings=False,
                       **plain(6e5, partial_rotary_factor=0.5)),
    "dots1": of("dots1", "Dots1ForCausalLM", num_hidden_layers=3, first_k_dense_replace=1,
                n_routed_experts=6, num_experts_per_tok=2, moe_intermediate_size=40,
                n_shared_experts=1, routed_scaling_factor=2.5, norm_topk_prob=True, n_group=1,
                topk_group=1, sliding_window=None, head_dim=24, rms_norm_eps=1e-6,
                tie_word_embeddings=False, **plain(1e5)),
    "dots1-windows": of("dots1", "Dots1ForCausalLM", first_k_dense_replace=1, n_routed_experts=4,
                        num_experts_per_tok=2, moe_intermediate_size=40, n_shared_experts=1,
                        norm_topk_prob=True, sliding_window=20, max_window_layers=1, head_dim=24,
                        use_sliding_window=False,  # which the class does not read
                        rms_norm_eps=1e-6, tie_word_embeddings=False, **plain(1e5)),
    "qwen2-moe-windows": of("qwen2_moe", "Qwen2MoeForCausalLM", num_hidden_layers=4, num_experts=4,
                            num_experts_per_tok=2, moe_intermediate_size=40, qkv_bias=True,
                            shared_expert_intermediate_size=80, mlp_only_layers=[0, 3],
                            sliding_window=20, use_sliding_window=True, max_window_layers=3,
                            tie_word_embeddings=False, **plain(1e6)),
    "ernie4_5-moe": of("ernie4_5_moe", "Ernie4_5_MoeForCausalLM", num_hidden_layers=4,
                       moe_num_experts=6, moe_k=2, moe_intermediate_size=40,
                       moe_num_shared_experts=2, moe_layer_start_index=1, moe_layer_end_index=2,
                       moe_layer_interval=1, use_bias=False, rms_norm_eps=1e-5,
                       tie_word_embeddings=False, **plain(5e5)),
    "minimax-m2": of("minimax_m2", "MiniMaxM2ForCausalLM", num_local_experts=6, head_dim=32,
                     num_experts_per_tok=2, intermediate_size=40, rms_norm_eps=1e-6,
                     tie_word_embeddings=False, **plain(5e6, partial_rotary_factor=0.5)),
    "gpt-oss": of("gpt_oss", "GptOssForCausalLM", num_hidden_layers=3, num_local_experts=5,
                  num_experts_per_tok=2, intermediate_size=40, head_dim=16, sliding_window=20,
                  layer_types=[WINDOW, FULL, WINDOW], swiglu_limit=1.5, swiglu_alpha=1.6,
                  attention_bias=True, rms_norm_eps=1e-5, tie_word_embeddings=False,
                  rope_parameters=dict(rope_type="yarn", rope_theta=150000.0, factor=8.0,
                                       beta_fast=32.0, beta_slow=1.0, truncate=False,
                                       original_max_position_embeddings=64)),
    "hunyuan-moe": of("hunyuan_v1_moe", "HunYuanMoEV1ForCausalLM", num_experts=5, moe_topk=[2, 2],
                      head_dim=24, intermediate_size=72, num_shared_expert=[1, 1],
                      moe_intermediate_size=[72, 72], tie_word_embeddings=True,
                      rope_parameters=dict(rope_type="dynamic", alpha=100.0, factor=1.0,
                                           rope_theta=1e4)),
}


class Weights:
    """splitmix64, a uniform number in [-1, 1) for each draw."""

    def __init__(self, seed):
        self.state = seed

    def draw(self, n):
        steps = numpy.arange(1, n + 1, dtype=numpy.uint64)
        with numpy.errstate(over="ignore"):
            z = numpy.uint64(self.state) + steps * numpy.uint64(0x9E3779B97F4A7C15)
            z = (z ^ (z >> numpy.uint64(30))) * numpy.uint64(0xBF58476D1CE4E5B9)
            z = (z ^ (z >> numpy.uint64(27))) * numpy.uint64(0x94D049BB133111EB)
            z = z ^ (z >> numpy.uint64(31))
        self.state = (self.state + n * 0x9E3779B97F4A7C15) & MASK
        return (z >> numpy.uint64(40)).astype(numpy.float64) * 2.0**-23 - 1


def scale_of(name, shape, config):
    """(centre, spread): weights of norms lie around 1, or 0 where the class adds 1."""
    gemma4 = config["model_type"] == "gemma4_text"
    if gemma4 and name.endswith(("q_norm.weight", "k_norm.weight")):
        return 0.5, 0.2  # scores are not scaled
    if name.endswith("layer_scalar"):
        return 0.8, 0.3
    if name.endswith(("router.scale", "per_expert_scale")):
        return 1.0, 0.5
    if "norm" in name and not name.endswith(".bias"):
        minus_1 = config["model_type"] not in ("gemma4_text", "nemotron_h") and config[
            "model_type"].startswith(("gemma", "nemotron", "qwen3_5", "qwen3_next"))
        return (0.0 if minus_1 and "linear_attn" not in name else 1.0), 0.3
    if name.endswith("A_log"):  # decays between fast and so slow that a state lasts all the text
        return -4.0, 4.0
    if name.endswith("bias"):
        return 0.0, 0.2
    if "embed_tokens" in name or "embed_in" in name:
        return 0.0, 1.0
    return 0.0, 2.2 / shape[-1] ** 0.5


def draw(shapes, config):
    """Values for tensors, and the list of them that the test draws from."""
    weights, listed, values = Weights(1), [], {}
    # Fused, q, k and v are drawn one after another.
    fused = str.maketrans("qkv", "ABC") if config.get("qkv_in_turn") else {}
    for name in sorted(shapes, key=lambda n: n.translate(fused) if n.endswith("_proj.weight") else n):
        shape = list(shapes[name])
        centre, spread = scale_of(name, shape, config)
        drawn = torch.tensor(weights.draw(int(numpy.prod(shape)))) * spread + centre
        values[name] = drawn.float().to(torch.bfloat16).float().view(shape)
        listed.append([name, shape, centre, spread])
    return values, listed


def build_by_file(model, config):
    """Models whose tensors have other names and shapes in files than in memory: with experts."""
    with tempfile.TemporaryDirectory() as folder:
        model.save_pretrained(folder)
        file = os.path.join(folder, "model.safetensors")
        shapes = {n: list(t.shape) for n, t in load_file(file).items()}
        for name, shape in shapes.items():  # the hub has these transposed, and Transformers reads both
            if config["model_type"] == "qwen3_vl_moe" and ".experts." in name:
                shape[1], shape[2] = shape[2], shape[1]
        values, listed = draw(shapes, config)
        save_file(values, file, metadata={"format": "pt"})
        return type(model).from_pretrained(folder, dtype=torch.float32,
                                           attn_implementation="eager",
                                           experts_implementation="eager").eval(), listed


def build(config):
    cls = getattr(transformers, config["architectures"][0])
    cfg = transformers.AutoConfig.for_model(**{k: v for k, v in config.items()})
    cfg._attn_implementation = "eager"
    model = cls(cfg).eval()
    if any(".experts." in n for n, _ in model.named_parameters()):
        return build_by_file(model, config)
    tied = config["tie_word_embeddings"]
    params = {n: p for n, p in model.named_parameters() if not (tied and n == "lm_head.weight")}
    params |= {n: p for n, p in model.named_buffers() if n.endswith("layer_scalar")}
    values, listed = draw({n: p.shape for n, p in params.items()}, config)
    with torch.no_grad():
        for name in params:
            params[name].copy_(values[name])
    return model, listed


def write(name, out):
    """Keeps the digest, which Ithaca makes."""
    path = os.path.join(HERE, name + ".json")
    old = json.load(open(path)) if os.path.exists(path) else {}
    out = dict(out, sha256=old.get("sha256", ""))
    with open(path, "w") as f:
        f.write("{\n" + ",\n".join(f'"{k}": {json.dumps(v)}' for k, v in out.items()) + "\n}\n")
    return path


def wrapped(out, model_type, name):
    """The same as the text of a model of images and text, as the hub has it. What is expected is what
    the class of the text computes."""
    config = {k: v for k, v in out["config"].items() if k not in ("architectures", "tie_word_embeddings")}
    names = [["language_model." + n, s, c, w] for n, s, c, w in out["tensors"]]
    images = [["vision_tower.embeddings.position_embedding.weight", [4, 8], 0.0, 1.0],
              ["multi_modal_projector.mm_soft_emb_norm.weight", [8], 0.0, 1.0]]
    return dict(out, tensors=names + images,
                config=dict(model_type=model_type, architectures=[name],
                            tie_word_embeddings=out["config"]["tie_word_embeddings"],
                            text_config=config, vision_config={"hidden_size": 8}))


def as_on_hub(out):
    """Qwen2-VL's names of Transformers 4."""
    names = [[n.replace("model.language_model.", "model.").replace("model.visual.", "visual."), *rest]
             for n, *rest in out["tensors"]]
    return dict(out, tensors=names)


def by_layer(out):
    """Gemma 4's heads in layers without a window, said of each layer."""
    config = dict(out["config"])
    heads = {"head_dim": config.pop("global_head_dim")}
    config["per_layer_config"] = {str(i): heads for i, t in enumerate(config["layer_types"]) if t == FULL}
    return dict(out, config=config)


def as_bailing(out):
    """Names and keys of Ling 2.0; q, k and v are one tensor."""
    new = {"model.embed_tokens": "model.word_embeddings", "self_attn.o_proj": "attention.dense",
           "self_attn.q_norm": "attention.query_layernorm", "self_attn.k_norm": "attention.key_layernorm",
           "self_attn.q_proj": "attention.query_key_value", "e_score_correction_bias": "expert_bias"}
    tensors = []
    for name, shape, *rest in out["tensors"]:
        if ".k_proj" in name or ".v_proj" in name:
            tensors[-1][1][0] += shape[0]
            continue
        for old, now in new.items():
            name = name.replace(old, now)
        tensors.append([name, shape, *rest])
    config = dict(out["config"], model_type="bailing_moe", architectures=["BailingMoeV2ForCausalLM"],
                  score_function="sigmoid", use_bias=False, use_qkv_bias=False, rope_scaling=None,
                  rope_theta=6e5, partial_rotary_factor=0.5, moe_router_enable_expert_bias=True)
    config["num_experts"] = config.pop("n_routed_experts")
    config["num_shared_experts"] = config.pop("n_shared_experts")
    for key in ("rope_parameters", "qkv_in_turn", "attention_bias"):
        del config[key]
    return dict(out, tensors=tensors, config=config)


def as_neox(out):
    """The name that the class gives the output matrix in files."""
    names = [[n.replace("lm_head.", "embed_out."), *rest] for n, *rest in out["tensors"]]
    return dict(out, tensors=names)


def as_kimi(out):
    """The hub's names of MLPs in layers without experts, which the class gives others in files."""
    def name(n):
        layer = n.split(".")[2] if n.startswith("model.layers.") else ""
        dense = layer and out["config"]["mlp_layer_types"][int(layer)] == "dense"
        return n.replace("block_sparse_moe.", "mlp.") if dense else n
    return dict(out, tensors=[[name(n), *rest] for n, *rest in out["tensors"]])


def with_drafts(out):
    """A layer behind the last one, to guess further tokens, as files of GLM-4.5 have it."""
    layer = f"model.layers.{out['config']['num_hidden_layers']}."
    drafts = [[layer + "eh_proj.weight", [64, 128], 0.0, 0.2],
              [layer + "mlp.gate.weight", [12, 64], 0.0, 0.2],
              [layer + "shared_head.norm.weight", [64], 1.0, 0.3]]
    return dict(out, tensors=out["tensors"] + drafts,
                config=dict(out["config"], num_nextn_predict_layers=1))


@torch.no_grad()
def greedy(model, text):
    margin = 1e9
    for _ in range(GREEDY):
        top = model(torch.tensor([text]), use_cache=False).logits[0, -1].topk(2)
        margin = min(margin, float(top.values[0] - top.values[1]))
        text = text + [int(top.indices[0])]
    return text, margin


class RouterGap:
    """While it is entered: `least` is the least distance between a chosen expert's score and the
    best that is not chosen. Where it is tiny, another order of float32 sums, as another CPU's
    BLAS has it, chooses other experts."""

    def __enter__(self):
        self.least, self.topk = float("inf"), (torch.topk, torch.Tensor.topk)

        def seen(x, k, *args, **kwargs):
            if k < x.shape[-1] and x.is_floating_point():
                best = x.sort(-1, descending=True).values
                gaps = (best[..., k - 1] - best[..., k]).flatten()
                gaps = gaps[torch.isfinite(gaps)]
                if len(gaps) > 0:
                    self.least = min(self.least, float(gaps.min()))
            return self.topk[0](x, k, *args, **kwargs)

        torch.topk = torch.Tensor.topk = seen
        return self

    def __exit__(self, *_):
        torch.topk, torch.Tensor.topk = self.topk


def router_gap(model, ids):
    with RouterGap() as gap, torch.no_grad():
        model(torch.tensor([ids]), use_cache=False)
    return gap.least


def make(name):
    config = dict(CASES[name])
    torch.manual_seed(0)
    model, tensors = build(config)
    model = model.double()
    for seed in range(5, 50):
        ids = numpy.random.default_rng(seed).integers(0, VOCABULARY, TOKENS).tolist()
        text, margin = greedy(model, ids[:PREFIX])
        gap = router_gap(model, ids)
        if margin > 0.02 and gap > 2e-5:
            break
    with torch.no_grad():
        logits = model(torch.tensor([ids]), use_cache=False).logits[0].double()
        nll = torch.nn.functional.cross_entropy(logits[:-1], torch.tensor(ids[1:]), reduction="none")
    config = {k: v for k, v in config.items() if v is not None or k in ("sliding_window", "q_lora_rank")}
    out = dict(transformers=transformers.__version__, config=config, tensors=tensors, ids=ids,
               nll=[float(f"{x:.6g}") for x in nll.tolist()], greedy_prefix=PREFIX,
               greedy_ids=text[PREFIX:], greedy_margin=float(f"{margin:.3g}"))
    more = {"glm4-moe": with_drafts, "qwen2-vl": as_on_hub,
            "bailing-moe2": as_bailing, "gpt-neox": as_neox,
            "kimi_linear": as_kimi,
            "gemma4-values": by_layer}
    path = write(name, more.get(name, lambda same: same)(out))
    if name == "gemma3":
        write("gemma3-wrapped", wrapped(out, "gemma3", "Gemma3ForConditionalGeneration"))
    if name == "cohere2":
        write("cohere2-wrapped",
              wrapped(out, "cohere2_vision", "Cohere2VisionForConditionalGeneration"))
    print(f"{name:16s} mean nll {float(nll.mean()):.3f} logit std {float(logits.std()):.2f} "
          f"margin {margin:.3f} router's gap {gap:.1e} bytes {os.path.getsize(path)}", flush=True)
    return model, tensors


for each in sys.argv[1:] or CASES:
    make(each)
