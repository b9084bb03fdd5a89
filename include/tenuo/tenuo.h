/* SPDX-License-Identifier: Apache-2.0 */
/* Everything for applications. Plugin authors include <tenuo/plugin.h> alone. */
#ifndef TENUO_TENUO_H
#define TENUO_TENUO_H
#include <tenuo/approval.h>
#include <tenuo/audit.h>
#include <tenuo/constraint.h>
#include <tenuo/context.h>
#include <tenuo/error.h>
#include <tenuo/explain.h>
#include <tenuo/key.h>
#include <tenuo/matchers.h>
#include <tenuo/mint.h>
#include <tenuo/receipt.h>
#include <tenuo/request.h>
#include <tenuo/revocation.h>
#include <tenuo/store.h>
#include <tenuo/verify.h>
#include <tenuo/version.h>
#include <tenuo/warrant.h>
#endif
