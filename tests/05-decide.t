#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# The lock decision, compiled for user space.
set -eu
cd "$(dirname "$0")/.."
mkdir -p build
cc -Wall -Wextra -Werror -o build/decide tests/decide.c ext4dio/dio_decide.c
exec build/decide
