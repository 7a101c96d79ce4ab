// Package notes keeps properties that clients invent with a file or directory,
// in an extended attribute.
//
// user.canopy.props holds the properties as elements of XML, one after another:
//
//	<x:author xmlns:x="urn:example">Ada</x:author><x:year xmlns:x="urn:example">1843</x:year>
//
// The attribute goes where the file goes, and with it. How much it may hold
// depends on the file system: 4 KiB for all attributes of a file together is
// usual with ext4, 64 KiB with XFS, and tmpfs has had them since Linux 6.6. What
// cannot be read as properties counts as not there.
package notes

import (
	"errors"
	"os"

	"canopy/plugins"
	"canopy/plugins/wire/property"
)

// attribute is the name under which they are kept.
const attribute = "user.canopy.props"

// longest is the longest attribute, in bytes: so many are the most that Linux
// allows.
const longest = 64 << 10

// ErrTooMuch is why properties are not kept that the file system has no room
// for, or that would exceed the bounds of package plugins.
var ErrTooMuch = errors.New("these are more properties than can be kept with one file")

// Read returns the properties of f. The error is errors.ErrUnsupported where the
// file system has no such attributes, else that of the system.
func Read(f *os.File) ([]plugins.Property, error) {
	text, err := get(f)
	if err != nil || len(text) == 0 {
		return nil, err
	}
	all, err := property.Parse(string(text))
	if err != nil {
		return nil, nil
	}
	return all, nil
}

// Write makes all the properties of f, in one step. The errors are those of
// Read, and ErrTooMuch.
func Write(f *os.File, all []plugins.Property) error {
	if len(all) == 0 {
		return remove(f)
	}
	text := property.Format(all)
	if len(text) > longest {
		return ErrTooMuch
	}
	return set(f, []byte(text))
}
