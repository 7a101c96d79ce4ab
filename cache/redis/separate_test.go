package redis

import (
	"testing"

	"canopy/plugins/plugintest/rig"
)

func TestNewClient(t *testing.T) {
	t.Parallel()
	s := rig.Redis(t)
	c, err := NewClient(Options{URL: s.URL()})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if pong, err := c.Ping(t.Context()).Result(); err != nil || pong != "PONG" {
		t.Errorf("%q, %v", pong, err)
	}
	if _, err := NewClient(Options{URL: "http://127.0.0.1"}); err == nil {
		t.Error("no error for a URL of another scheme")
	}
	if _, err := NewClient(Options{URL: s.URL(), PasswordFile: "/nonexistent"}); err == nil {
		t.Error("no error for a password that cannot be read")
	}
}
