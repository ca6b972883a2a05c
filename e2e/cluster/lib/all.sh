# shellcheck shell=bash
# Every library, for the scripts that need most of them.

source "$(dirname "${BASH_SOURCE[0]}")/common.sh"
for library in tools process parts pki node remains requirements images port product forge model; do
  source "$SOURCES/lib/$library.sh"
done
unset library
