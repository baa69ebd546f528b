package devices_test

import (
	"testing"

	"ago/device"
	"ago/device/devicetest"
	_ "ago/devices"
	"ago/message"
	"ago/resolve"
)

func resolver(n *device.Node) device.Runner { return resolve.New(n, resolve.Limits{}) }

func TestMessageKeepsTheRulesOfDevices(t *testing.T) {
	d, _ := device.All().Find("message@1.0")
	devicetest.Run(t, devicetest.Subject{Device: d, Node: &device.Node{Registry: device.All()}, Runner: resolver, Bases: []message.Message{
		message.New(message.Field{Key: "a", Value: message.Bytes("b")}, message.Field{Key: "n", Value: message.New(message.Field{Key: "x", Value: message.Int(1)})}),
	}})
}
