package agents

import (
	"strings"
	"testing"
)

func TestCarried(t *testing.T) {
	table, err := New([]string{"Player *beta* MOVE,GET", "  exact  ", "old client/* GET", "*bot"})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		agent, method string
		want          bool
	}{
		{"cadaver/0.24 neon/0.32.5", "GET", true},
		{"CADAVER/1", "PROPFIND", true},
		{"davfs2/1.6.1 neon/0.32.2", "PUT", true},
		{"litmus/0.13 neon/0.32.2", "HEAD", true},
		{"Microsoft-WebDAV-MiniRedir/10.0.19043", "GET", true},
		{"rclone/v1.60.1", "GET", false},
		{"rclone/v1.60.1", "PUT", true},
		{"gvfs/1.50.3", "GET", false},
		{"gvfs/1.50.3", "PUT", true},
		{"WebDAVFS/3.0.0 (03008000) Darwin/21.6.0 (x86_64)", "GET", false},
		{"libdavix/0.8.4 neon/0.0.29", "GET", false},
		{"curl/7.88.1", "GET", false},
		{"", "GET", false},
		{"cadave", "GET", false},
		{"not cadaver/1", "GET", false},
		{"player 7 beta2", "GET", true},
		{"player 7 beta2", "HEAD", true},
		{"player 7 beta2", "MOVE", true},
		{"player 7 beta2", "PUT", false},
		{"player 7", "GET", false},
		{"exact", "GET", true},
		{"exactly", "GET", false},
		{"Old Client/7", "GET", true},
		{"Old Client/7", "PUT", false},
		{"a bot", "GET", true},
		{"a bottle", "GET", false},
	} {
		if got := table.Carried(c.agent, c.method); got != c.want {
			t.Errorf("%q %s: got %v", c.agent, c.method, got)
		}
	}
	if n := testing.AllocsPerRun(100, func() { table.Carried("Mozilla/5.0 (X11; Linux x86_64)", "GET") }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestFollowsCopy(t *testing.T) {
	table, err := New([]string{"gfal2-util/1.5* COPY"})
	if err != nil {
		t.Fatal(err)
	}
	for agent, want := range map[string]bool{
		"gfal2-util/1.8.0 gfal2/2.21.3 neon/0.0.29": true,
		"libdavix/0.8.4 neon/0.0.29":                true,
		"fts_url_copy/3.12 gfal2/2.21.5":            true,
		"gfal2-util/1.5.1 gfal2/2.16":               false,
		"curl/7.88.1":                               false,
		"cadaver/0.24 neon/0.32.5":                  false,
		"":                                          false,
	} {
		if got := table.FollowsCopy(agent); got != want {
			t.Errorf("%q: %v", agent, got)
		}
	}
}

func TestNewErrors(t *testing.T) {
	for _, s := range []string{"", "   ", strings.Repeat("*", maxStars+1)} {
		if _, err := New([]string{s}); err == nil {
			t.Errorf("%q was accepted", s)
		}
	}
}

func FuzzCarried(f *testing.F) {
	f.Add("cadaver/*", "cadaver/0.24", "GET")
	f.Add("a*b*c PUT", "abcabc", "PUT")
	f.Fuzz(func(t *testing.T, pattern, agent, method string) {
		table, err := New([]string{pattern})
		if err != nil {
			return
		}
		// A pattern without methods matches at least itself.
		got := table.Carried(agent, method)
		if !strings.Contains(pattern, " ") && strings.EqualFold(agent, pattern) && isASCII(agent) && !got {
			t.Errorf("%q does not match itself", pattern)
		}
	})
}

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= 0x80 {
			return false
		}
	}
	return true
}
