//go:build !(linux || darwin || freebsd)

package local

import (
	"io/fs"
	"os"

	"canopy/plugins"
)

const directoryOnly, withoutWaiting = 0, 0

func inode(fs.FileInfo) uint64 { return 0 }

func lstat(root *os.Root, full string, _ *os.File, _ string) (facts, error) {
	info, err := root.Lstat(inside(full))
	if err != nil {
		return facts{}, err
	}
	return factsOf(info), nil
}

// room is not known on these systems.
func room(*os.File) (plugins.Space, error) {
	return plugins.Space{}, &plugins.Error{Kind: plugins.Unsupported}
}

// writable is not known on these systems.
func writable(*os.File) plugins.Verdict { return plugins.Undecided }
