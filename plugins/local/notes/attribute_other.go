//go:build !(linux || darwin || freebsd)

package notes

import (
	"errors"
	"os"
)

// What these do elsewhere cannot be done on this system.

func get(*os.File) ([]byte, error) { return nil, errors.ErrUnsupported }
func set(*os.File, []byte) error   { return errors.ErrUnsupported }
func remove(*os.File) error        { return errors.ErrUnsupported }
