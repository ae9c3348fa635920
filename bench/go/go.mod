// SPDX-License-Identifier: Apache-2.0
module bench-go

go 1.19
