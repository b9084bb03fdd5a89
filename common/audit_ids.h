/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The fixed MESSAGE_IDs of what is recorded, one for each kind (journald's catalog, dashboards and SIEM rules find the
 * records by them). Never changed, never used again for anything else. conf/tenuo.catalog names the same.
 */
#ifndef TN_AUDIT_IDS_H
#define TN_AUDIT_IDS_H

#define TN_MESSAGE_ID_ALLOW "523ef474cc7a42c1b39cb589bcd664e8"
#define TN_MESSAGE_ID_DENY "4a845480a8a84ceeb651b38d3b7fcffb"
#define TN_MESSAGE_ID_WOULD_DENY "4973f14e7c6541de9e6df5dfee94c095"
#define TN_MESSAGE_ID_CONFIG_RELOAD "a12b97d129a341c1b658968aa86746e5"
#define TN_MESSAGE_ID_REVOCATION_UPDATE "966cc0ff213a4eb8b5347775094ddd1b"
#define TN_MESSAGE_ID_KEY_RETIRED "bbe37c246f4b4b6f87b341441cb3db5b"
#define TN_MESSAGE_ID_PROBE "9b8604cdf3ee47e7b87daa41db231f29"

#endif
