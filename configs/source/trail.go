package source

import (
	"slices"
	"strconv"
	"strings"
)

// trail is the way to a node from the top, which is nil. It is written out
// for a problem only.
type trail struct {
	up *trail
	// key is that of a mapping's value; "" for an item of a list.
	key   string
	index int
}

// longest bounds the text of a trail that a hostile file made long.
const longest = 120

// String writes the trail as in "endpoints[2].mount".
func (t *trail) String() string {
	var steps []*trail
	for ; t != nil; t = t.up {
		steps = append(steps, t)
	}
	var b strings.Builder
	for _, s := range slices.Backward(steps) {
		if b.Len() > longest {
			return b.String() + "…"
		}
		switch {
		case s.key == "":
			b.WriteString("[" + strconv.Itoa(s.index) + "]")
		case b.Len() > 0:
			b.WriteString("." + s.key)
		default:
			b.WriteString(s.key)
		}
	}
	return b.String()
}

// Join returns the path of key within path.
func Join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}
