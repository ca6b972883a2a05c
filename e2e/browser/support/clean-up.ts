import { removeOurs } from "./api";

export default removeOurs;
