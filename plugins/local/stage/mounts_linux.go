package stage

import (
	"bufio"
	"bytes"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// tops returns the roots of all file systems below root, as paths within it.
func tops(root string) ([]string, error) {
	found := []string{"."}
	real, err := filepath.EvalSymlinks(root)
	if err != nil {
		return found, err
	}
	f, err := os.Open("/proc/self/mountinfo")
	if err != nil {
		return found, err
	}
	defer f.Close()
	for point, err := range mounts(f) {
		if err != nil {
			return found, err
		}
		if below, ok := strings.CutPrefix(point, strings.TrimSuffix(real, "/")+"/"); ok && below != "" {
			found = append(found, below)
		}
	}
	return found, nil
}

// mounts reads the mount points in a mountinfo file (proc_pid_mountinfo(5)),
// where blanks and the like are written as three octal digits.
func mounts(r io.Reader) func(yield func(string, error) bool) {
	return func(yield func(string, error) bool) {
		lines := bufio.NewScanner(r)
		for lines.Scan() {
			fields := bytes.SplitN(lines.Bytes(), []byte{' '}, 6)
			if len(fields) == 6 && !yield(unescape(fields[4]), nil) {
				return
			}
		}
		if err := lines.Err(); err != nil {
			yield("", err)
		}
	}
}

func unescape(text []byte) string {
	var b strings.Builder
	for i := 0; i < len(text); i++ {
		if text[i] == '\\' && i+3 < len(text) && octal(text[i+1:i+4]) {
			b.WriteByte((text[i+1]-'0')<<6 | (text[i+2]-'0')<<3 | (text[i+3] - '0'))
			i += 3
			continue
		}
		b.WriteByte(text[i])
	}
	return b.String()
}

func octal(digits []byte) bool {
	return '0' <= digits[0] && digits[0] <= '3' && '0' <= digits[1] && digits[1] <= '7' && '0' <= digits[2] && digits[2] <= '7'
}
