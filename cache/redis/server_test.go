package redis

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"canopy/plugins/plugintest/rig"
)

// A slow machine must not make the tests of time fail, so the budget is larger
// than the default; what is measured is whether it is kept, and kept once.
const testBudget = 100 * time.Millisecond

// TestFrozen checks what a request pays for a server that hangs: one wait, not
// more than the budget, for everybody together.
func TestFrozen(t *testing.T) {
	s := rig.Redis(t)
	l, _ := open(t, Options{URL: s.URL(), Budget: testBudget})
	share(t, l, "/k", "v")
	overdue := l.Stats().Overdue
	s.Freeze()
	ctx, cancel := context.WithTimeout(t.Context(), testBudget/10)
	defer cancel()
	l.Invalidate("/told")
	if l.Told(ctx) {
		t.Error("a frozen server was told")
	}

	window := l.breaker.window()
	began := time.Now()
	if got := l.Get(t.Context(), "/k"); got[0] != nil {
		t.Errorf("%q from a frozen server", got)
	}
	first := time.Since(began)
	if first < window/2 || first > testBudget+time.Second {
		t.Errorf("the first answer was given up after %v, the window is %v", first, window)
	}
	began = time.Now()
	const n = 2000
	for range n {
		if got := l.Get(t.Context(), "/k"); got[0] != nil {
			t.Fatalf("%q from a frozen server", got)
		}
		l.Set("/k", []byte("v"), time.Hour)
		l.Invalidate("/other")
	}
	if each := time.Since(began) / n; each > time.Millisecond {
		t.Errorf("%v each once the level is suspect", each)
	}
	// One wait, unless this machine is too busy to keep time itself.
	if st := l.Stats(); st.Serving || st.Overdue == overdue || st.Overdue > overdue+1+excuses {
		t.Errorf("%+v", st)
	}

	s.Thaw()
	eventually(t, "in use again", func() bool { return l.Stats().Serving })
	share(t, l, "/k", "v")
	if st := l.Stats(); st.Generations != 0 || st.Pending != 0 {
		t.Errorf("%+v", st)
	}
}

// TestFrozenForLong checks that the subscription notices silence, and that what
// may have been missed is reported.
func TestFrozenForLong(t *testing.T) {
	t.Parallel()
	s := rig.Redis(t)
	l, e := open(t, Options{URL: s.URL(), Budget: testBudget})
	before := e.connections()
	s.Freeze()
	eventually(t, "the silence is noticed", func() bool { return !l.Stats().Subscribed })
	s.Thaw()
	eventually(t, "reported", func() bool { return e.connections() > before })
}

// TestCloseFrozen checks that a server that hangs does not hold up the end.
func TestCloseFrozen(t *testing.T) {
	t.Parallel()
	s := rig.Redis(t)
	l, err := Open(Options{URL: s.URL(), Budget: testBudget})
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "in use", func() bool { return l.Stats().Serving })
	s.Freeze()
	l.Set("/k", []byte("v"), time.Hour)
	l.Invalidate("/k2")
	began := time.Now()
	if err := l.Close(); err != nil {
		t.Error(err)
	}
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("closing took %v", took)
	}
}

// TestRestart kills the server and starts it again, empty.
func TestRestart(t *testing.T) {
	t.Parallel()
	s := rig.Redis(t)
	a, earA := open(t, Options{URL: s.URL(), Budget: lenient})
	b, earB := open(t, Options{URL: s.URL(), Budget: lenient})
	share(t, a, "/k", "v")
	wasA, wasB := earA.connections(), earB.connections()

	s.Stop()
	eventually(t, "the loss is noticed", func() bool {
		return a.Get(t.Context(), "/k")[0] == nil && !a.Stats().Serving && !a.Stats().Subscribed
	})
	a.Invalidate("/k2")
	s.Start()
	eventually(t, "both subscribed again", func() bool {
		return earA.connections() > wasA && earB.connections() > wasB
	})
	if v := get(t, a, "/k"); v != nil {
		t.Errorf("%q from an empty server", v)
	}
	share(t, a, "/k", "new")
	// b finds out with its first question that the values are of another
	// generation.
	eventually(t, "b reads the new value", func() bool { return string(b.Get(t.Context(), "/k")[0]) == "new" })
	b.Invalidate("/k")
	eventually(t, "a has heard", func() bool { return earA.heard("/k") })
}

// TestFull checks that a full server still serves what it has and takes
// invalidations.
func TestFull(t *testing.T) {
	t.Parallel()
	s := rig.Redis(t, rig.Extra("--maxmemory", "3mb", "--maxmemory-policy", "noeviction"))
	var log buffer
	a, _ := open(t, Options{URL: s.URL(), Log: testLog(&log)})
	b, earB := open(t, Options{URL: s.URL()})
	share(t, a, "/first", "v")
	i := 0
	eventually(t, "full", func() bool {
		i++
		a.Set(fmt.Sprint("/fill", i), noise(100_000), time.Hour)
		return a.Stats().Refused > 0
	})
	if v := get(t, b, "/first"); string(v) != "v" {
		t.Errorf("first is %q", v)
	}
	a.Invalidate("/first")
	eventually(t, "b has heard", func() bool { return earB.heard("/first") })
	if v := get(t, b, "/first"); v != nil {
		t.Errorf("first is still %q", v)
	}
	if n := strings.Count(log.String(), "refuses values"); n != 1 {
		t.Errorf("logged %d times: %s", n, log.String())
	}
	if err := a.client.ConfigSet(t.Context(), "maxmemory", "100mb").Err(); err != nil {
		t.Fatal(err)
	}
	share(t, a, "/room", "v")
}

// TestKilledSubscription checks that messages missed between two connections
// are reported as such.
func TestKilledSubscription(t *testing.T) {
	t.Parallel()
	s := rig.Redis(t)
	l, e := open(t, Options{URL: s.URL()})
	before := e.connections()
	if err := l.client.ClientKillByFilter(t.Context(), "TYPE", "pubsub").Err(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "subscribed again", func() bool { return e.connections() > before && l.Stats().Subscribed })
	if !l.Stats().Serving {
		t.Error("the loss of the subscription took the level out of use")
	}
}

// TestCluster uses a real cluster of one.
func TestCluster(t *testing.T) {
	t.Parallel()
	s := rig.Redis(t, rig.Extra("--cluster-enabled", "yes"))
	l, _ := openAnyway(t, Options{URL: "redis+cluster://" + s.Addr()})
	eventually(t, "slots assigned", func() bool {
		reply, err := inline(s.Addr(), "CLUSTER ADDSLOTSRANGE 0 16383")
		return err == nil && reply == "+OK"
	})
	eventually(t, "in use", func() bool { return l.Stats().Serving && l.Stats().Subscribed })
	var keys []string
	for i := range 20 {
		keys = append(keys, fmt.Sprint("/", i))
		share(t, l, keys[i], "v")
	}
	for i, v := range l.Get(t.Context(), keys...) {
		if string(v) != "v" {
			t.Errorf("%s is %q", keys[i], v)
		}
	}
	l.Invalidate(keys...)
	eventually(t, "invalidated", func() bool { return l.Stats().Pending == 0 })
	if v := get(t, l, "/3"); v != nil {
		t.Errorf("%q after its invalidation", v)
	}
}

// TestSentinel follows a real sentinel to its master.
func TestSentinel(t *testing.T) {
	t.Parallel()
	master := rig.Redis(t)
	addr := startSentinel(t, master.Addr())
	l, _ := open(t, Options{URL: "redis+sentinel://" + addr + "/main/2"})
	share(t, l, "/k", "v")
	if reply, err := inline(master.Addr(), "SELECT 2", "EXISTS canopy:v:/k"); err != nil || reply != ":1" {
		t.Errorf("the master's database 2 says %q, %v", reply, err)
	}
}

// inline sends commands whose replies are one line, and returns the last reply.
func inline(addr string, commands ...string) (string, error) {
	c, err := net.DialTimeout("tcp", addr, time.Second)
	if err != nil {
		return "", err
	}
	defer c.Close()
	if err := c.SetDeadline(time.Now().Add(5 * time.Second)); err != nil {
		return "", err
	}
	replies := bufio.NewReader(c)
	line := ""
	for _, command := range commands {
		if _, err := fmt.Fprintf(c, "%s\r\n", command); err != nil {
			return "", err
		}
		if line, err = replies.ReadString('\n'); err != nil {
			return "", err
		}
	}
	return strings.TrimSpace(line), nil
}

func startSentinel(t *testing.T, master string) string {
	t.Helper()
	binary, err := exec.LookPath("redis-server")
	if err != nil {
		t.Fatal("redis-server is not installed; on Debian: apt-get install redis-server")
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := listener.Addr().String()
	listener.Close()
	_, port, _ := net.SplitHostPort(addr)
	host, masterPort, _ := net.SplitHostPort(master)
	conf := filepath.Join(t.TempDir(), "sentinel.conf")
	content := fmt.Sprintf("port %s\nbind 127.0.0.1\nsentinel monitor main %s %s 1\n", port, host, masterPort)
	if err := os.WriteFile(conf, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(binary, conf, "--sentinel")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	eventually(t, "sentinel answers", func() bool {
		reply, err := inline(addr, "PING")
		return err == nil && reply == "+PONG"
	})
	return addr
}
