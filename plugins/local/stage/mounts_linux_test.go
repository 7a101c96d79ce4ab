package stage

import (
	"slices"
	"strings"
	"testing"
)

func TestMounts(t *testing.T) {
	const table = `36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw,errors=continue
37 35 98:0 / /with\040space\134and\012more rw - tmpfs tmpfs rw
38 35 98:0 / /odd\04 rw - tmpfs tmpfs rw

too short
39 35 98:0 / /last rw - tmpfs tmpfs rw`
	var got []string
	for point, err := range mounts(strings.NewReader(table)) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, point)
	}
	if want := []string{"/mnt2", "/with space\\and\nmore", `/odd\04`, "/last"}; !slices.Equal(got, want) {
		t.Errorf("got %q", got)
	}
	var last error
	for _, err := range mounts(strings.NewReader(strings.Repeat("x", 1<<20))) {
		last = err
	}
	if last == nil {
		t.Error("an endless line is no error")
	}
	if got, err := tops(t.TempDir()); err != nil || !slices.Equal(got, []string{"."}) {
		t.Errorf("of a plain directory: %q, %v", got, err)
	}
	if got, err := tops("/"); err != nil || !slices.Contains(got, "proc") {
		t.Errorf("of all: %q, %v", got, err)
	}
	if _, err := tops("/none/such"); err == nil {
		t.Error("of nothing: no error")
	}
}

func FuzzMounts(f *testing.F) {
	for _, s := range []string{"", `1 2 3 4 /a\040b 6`, `1 2 3 4 \ 6`, `1 2 3 4 \777 6`, "1 2 3 4 /x\xff 6\n\n"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		for point, err := range mounts(strings.NewReader(s)) {
			if err == nil && len(point) > len(s) {
				t.Errorf("%q out of %q", point, s)
			}
			if err != nil && point != "" {
				t.Errorf("%q together with %v", point, err)
			}
		}
	})
}
