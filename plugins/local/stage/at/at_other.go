//go:build !(linux || darwin || freebsd)

package at

import (
	"errors"
	"io/fs"
	"os"
	"time"
)

// What these do elsewhere cannot be done on this system.

func Mkdir(*os.File, string, fs.FileMode) error                 { return errors.ErrUnsupported }
func Unlink(*os.File, string) error                             { return errors.ErrUnsupported }
func Rmdir(*os.File, string) error                              { return errors.ErrUnsupported }
func Rename(*os.File, string, *os.File, string) error           { return errors.ErrUnsupported }
func RenameNew(*os.File, string, *os.File, string) error        { return errors.ErrUnsupported }
func Open(*os.File, string, int, fs.FileMode) (*os.File, error) { return nil, errors.ErrUnsupported }
func Unnamed(*os.File) (*os.File, error)                        { return nil, errors.ErrUnsupported }
func Link(*os.File, *os.File, string) error                     { return errors.ErrUnsupported }
func Lock(*os.File) (bool, error)                               { return false, errors.ErrUnsupported }
func Sync(*os.File) error                                       { return errors.ErrUnsupported }
func SetTime(*os.File, time.Time) error                         { return errors.ErrUnsupported }
