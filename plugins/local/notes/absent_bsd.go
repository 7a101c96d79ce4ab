//go:build darwin || freebsd

package notes

import "golang.org/x/sys/unix"

// absent says that there is no attribute of that name.
const absent = unix.ENOATTR
