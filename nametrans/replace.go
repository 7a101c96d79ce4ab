package nametrans

// replacement puts one prefix in place of another; the mount is one as well.
type replacement struct {
	from []string // longest first
	with string
}

func (r *replacement) forward(path string) (string, bool) {
	for _, prefix := range r.from {
		if rest, ok := below(path, prefix); ok {
			return join(r.with, rest), true
		}
	}
	return "", false
}

func (r *replacement) back(to string, from []string) ([]string, bool) {
	if rest, ok := below(to, r.with); ok {
		for _, prefix := range r.from {
			from = append(from, join(prefix, rest))
		}
	}
	return from, true
}

func (r *replacement) lists() bool { return true }
