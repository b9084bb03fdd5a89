# SPDX-License-Identifier: Apache-2.0
"""What may be used inside a workflow (spec temporal.md 11.2, rows marked P): no input or output, no clock, no randomness.

The same input gives the same output in every process, so a replay decides as the first run did. Workflow-side files of tenuo.temporal
import nothing else of tenuo_core. Times and ids come in.
"""

from __future__ import annotations

from .constraints import Constraint
from .errors import (ConfigurationError, HolderMismatch, KeyNotFound, MonotonicityError, TenuoError, ToolNotAuthorized, ValidationError,
                     WouldBlock)
from .keys import PublicKey, Signer, SigningKey
from .mint import AttenuationBuilder, IssuanceBuilder
from .values import Args
from .verify import Decision, Verifier
from .warrant import Warrant, WarrantType, chain_bytes, decode_warrant_stack_base64, encode_warrant_stack, parse_chain

__all__ = ["Args", "AttenuationBuilder", "ConfigurationError", "Constraint", "Decision", "HolderMismatch", "IssuanceBuilder", "KeyNotFound",
           "MonotonicityError", "PublicKey", "Signer", "SigningKey", "TenuoError", "ToolNotAuthorized", "ValidationError", "Verifier",
           "Warrant", "WarrantType", "WouldBlock", "chain_bytes", "decode_warrant_stack_base64", "encode_warrant_stack", "parse_chain"]
