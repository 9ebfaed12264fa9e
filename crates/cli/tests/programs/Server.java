import java.net.InetAddress;
import java.net.ServerSocket;

/** Serves until it is asked to stop; the runtime then runs the hook and exits with 143. */
class Server {
    public static void main(String[] arguments) throws Exception {
        Thread hook = new Thread(() -> System.err.println("hook done"));
        Runtime.getRuntime().addShutdownHook(hook);
        int port = Integer.parseInt(arguments[0]);
        try (ServerSocket socket = new ServerSocket(port, 8, InetAddress.getLoopbackAddress())) {
            while (true) {
                socket.accept().close();
            }
        }
    }
}
